/*
 * Feeds the files of a corpus folder to a fuzz target, once each, in a fixed order. Stands in for
 * the fuzzing engine in builds that have none.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX_BYTES ((size_t)4 << 20)

static int replay(const char *dir, const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	uint8_t *data = malloc(FILE_MAX_BYTES);
	size_t size = data ? fread(data, 1, FILE_MAX_BYTES, f) : 0;
	fclose(f);
	/* An allocation of the very size, so that a sanitizer sees a read past the end. */
	uint8_t *exact = malloc(size ? size : 1);
	if (data && exact) {
		memcpy(exact, data, size);
		LLVMFuzzerTestOneInput(exact, size);
	}
	free(exact);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	size_t count = 0;
	for (int i = 1; i < argc; i++) {
		struct dirent **names;
		int n = scandir(argv[i], &names, NULL, alphasort);
		if (n < 0) {
			perror(argv[i]);
			return 1;
		}
		for (int k = 0; k < n; k++) {
			if (names[k]->d_name[0] != '.') {
				if (replay(argv[i], names[k]->d_name) != 0)
					return 1;
				count++;
			}
			free(names[k]);
		}
		free(names);
	}
	printf("%zu inputs\n", count);
	return count ? 0 : 1;
}
