/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libelf's error number, in place of its own elf_error.c: Debian builds libelf.a for executables, where thread-local storage
 * uses a model that a shared object (this addon) cannot contain. Everything else in the archive is used as it is.
 */
#include <stdio.h>

static _Thread_local int last_error;

int elf_errno(void);
const char *elf_errmsg(int error);
void __libelf_seterrno(int error);

int elf_errno(void)
{
	int error = last_error;

	last_error = 0;
	return error;
}

/* libbpf prints this beside its own words, which say what it was doing. */
const char *elf_errmsg(int error)
{
	static _Thread_local char text[32];

	if (error == 0 && last_error == 0)
		return NULL;
	snprintf(text, sizeof(text), "libelf error %d", error > 0 ? error : last_error);
	return text;
}

void __libelf_seterrno(int error)
{
	last_error = error;
}
