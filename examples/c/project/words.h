/* The number of words in a text: runs of anything but white space. */
int words(const char *text);
