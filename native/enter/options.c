// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

static int number(const char *text, const char *what, long least, long most) {
  char *end;
  const long value = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < least || value > most) fail(EXIT_USAGE, what, "not a valid number");
  return (int)value;
}

static enum way way_of(const char *text) {
  if (strcmp(text, "auto") == 0) return WAY_AUTO;
  if (strcmp(text, "mount") == 0) return WAY_MOUNT;
  if (strcmp(text, "env") == 0) return WAY_ENV;
  fail(EXIT_USAGE, "--way", "is auto, mount or env");
}

void options_parse(struct options *options, int argc, char *argv[]) {
  enum { SHIM = 256, SOCKET, CONFIG, SHELLS, WAY, ENV_DIR, REPORT_FD, OOM_SCORE_ADJ, PDEATHSIG };
  static const struct option known[] = {
      {"shim", required_argument, NULL, SHIM},           {"socket", required_argument, NULL, SOCKET},
      {"config", required_argument, NULL, CONFIG},       {"shells", required_argument, NULL, SHELLS},
      {"way", required_argument, NULL, WAY},             {"env-dir", required_argument, NULL, ENV_DIR},
      {"report-fd", required_argument, NULL, REPORT_FD}, {"oom-score-adj", required_argument, NULL, OOM_SCORE_ADJ},
      {"pdeathsig", optional_argument, NULL, PDEATHSIG},       {NULL, 0, NULL, 0},
  };
  static char every_shell[] = "bash,sh,dash,zsh";
  *options = (struct options){.config = "", .shells = every_shell, .report_fd = -1};
  for (int option; (option = getopt_long(argc, argv, "+", known, NULL)) != -1;) {
    switch (option) {
      case SHIM: options->shim = optarg; break;
      case SOCKET: options->socket = optarg; break;
      case CONFIG: options->config = optarg; break;
      case SHELLS: options->shells = optarg; break;
      case WAY: options->way = way_of(optarg); break;
      case ENV_DIR: options->env_dir = optarg; break;
      case REPORT_FD: options->report_fd = number(optarg, "--report-fd", 0, 1 << 20); break;
      case OOM_SCORE_ADJ:
        number(optarg, "--oom-score-adj", -1000, 1000);
        options->set_oom_score_adj = true;
        options->oom_score_adj = optarg;
        break;
      case PDEATHSIG:
        options->pdeathsig = true;
        options->parent = optarg ? number(optarg, "--pdeathsig", 1, 1 << 22) : getppid();
        break;
      default: exit(EXIT_USAGE);  // getopt has said why
    }
  }
  options->command = argv + optind;
  if (!options->command[0]) fail(EXIT_USAGE, "no command", NULL);
  if (!options->shim || !options->socket) fail(EXIT_USAGE, "--shim and --socket are needed", NULL);
  if (options->way != WAY_MOUNT && !options->env_dir) fail(EXIT_USAGE, "--env-dir is needed unless --way mount", NULL);
}
