/*
 * The random worlds or the sweep with a controller that is broken on purpose: broken world …,
 * broken sweep ….
 */
#include <stdio.h>
#include <string.h>

int world_main(int argc, char **argv);
int sweep_main(int argc, char **argv);

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "world") == 0)
		return world_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "sweep") == 0)
		return sweep_main(argc - 1, argv + 1);
	fprintf(stderr, "Usage: %s world|sweep [OPTIONS]\n", argv[0]);
	return 64;
}
