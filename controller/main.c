/* Nothing but the way in: as a worker for Git, or as the program that a person called. */
#include "child.h"
#include "cli.h"
#include "gitworker.h"

int main(int argc, char **argv, char **envp)
{
	int fd = child_worker_fd(argc, argv, GITWORKER_WORD);
	if (fd >= 0)
		return gitworker_main(fd);
	return cli_main(argc, argv, envp);
}
