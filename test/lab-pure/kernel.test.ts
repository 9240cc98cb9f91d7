import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { uncompressedKernel } from '../../src/lab/kernel-image.ts';
import { loadOrder } from '../../src/lab/kernel-modules.ts';

const dep = `kernel/fs/overlayfs/overlay.ko.xz:
kernel/drivers/block/zram/zram.ko.xz: kernel/lib/lz4/lz4hc_compress.ko.xz kernel/lib/base.ko.xz
kernel/net/vmw_vsock/vmw-vsock-virtio.ko: kernel/net/vsock.ko
`;

test('modules load after what they depend on; what is not a module needs no loading', () => {
  expect(loadOrder(dep, 'overlay')).toEqual(['kernel/fs/overlayfs/overlay.ko.xz']);
  expect(loadOrder(dep, 'zram')).toEqual([
    'kernel/lib/base.ko.xz',
    'kernel/lib/lz4/lz4hc_compress.ko.xz',
    'kernel/drivers/block/zram/zram.ko.xz',
  ]);
  expect(loadOrder(dep, 'vmw_vsock_virtio').at(-1)).toBe('kernel/net/vmw_vsock/vmw-vsock-virtio.ko');
  expect(loadOrder(dep, 'virtiofs')).toEqual([]);
});

/** A bzImage of the shape that the boot protocol describes, with `payload` where its header says. */
function bzImage(payload: Buffer, setupSectors = 3, offset = 100): Buffer {
  const image = Buffer.alloc((setupSectors + 1) * 512 + offset + payload.length + 50);
  image.writeUInt8(setupSectors, 0x1f1);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt32LE(offset, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  payload.copy(image, (setupSectors + 1) * 512 + offset);
  return image;
}

test('the kernel comes out of a zstd bzImage', () => {
  const elf = Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(10_000, 7)]);
  const payload = Buffer.concat([zstdCompressSync(elf), Buffer.from([1, 2, 3, 4])]);
  expect(uncompressedKernel(bzImage(payload))).toEqual(elf);
  expect(uncompressedKernel(bzImage(payload, 39, 716))).toEqual(elf);
  const other = Buffer.concat([zstdCompressSync(Buffer.from('not ELF')), Buffer.alloc(4)]);
  expect(uncompressedKernel(bzImage(other))).toBeUndefined();
});

test('another image is left as it is', () => {
  expect(uncompressedKernel(bzImage(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0])))).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      expect(uncompressedKernel(Buffer.from(bytes))).toBeUndefined();
    }),
  );
});
