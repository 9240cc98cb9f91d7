#include "words.h"
#include <ctype.h>

int words(const char *text)
{
	int n = 0, inside = 0;

	for (; *text; text++) {
		int letter = !isspace((unsigned char)*text);

		n += letter && !inside;
		inside = letter;
	}
	return n;
}
