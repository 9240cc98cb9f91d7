#include "words.h"
#include <assert.h>
#include <stdio.h>

int main(void)
{
	assert(words("") == 0);
	assert(words("  one  two\nthree ") == 3);
	puts("2 checks passed");
	return 0;
}
