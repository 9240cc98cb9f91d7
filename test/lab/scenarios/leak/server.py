"""A development server that leaks 32 MiB a second."""
import time

leaked = []
while True:
    leaked.append(bytearray(b"x") * (4 << 20))
    time.sleep(0.125)
