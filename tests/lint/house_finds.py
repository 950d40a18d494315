#!/usr/bin/env python3
"""Does house.py find what it is there for? Each case plants one breach in a tree of its own."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import house  # noqa: E402

HEAD = "/*\n * a: x.\n *\n * Not y.\n *\n * Owns.\n *\n * Any.\n */\n"
GUARD = "#ifndef RAMET_A_H\n#define RAMET_A_H\n#endif\n"
OUTSIDE = house.OUTSIDE_TREE

# Files of the tree, and a part of the only line expected (None: nothing is found).
CASES = [
    ({"controller/base/a.c": "int a(void)\n{\n\treturn 0;\n}\n"}, None),
    ({"controller/base/a.c": "/* strcpy(a) */ int s; // atoi(x)\n"}, None),
    ({"controller/base/a.c": 'const char *s = "exit(1)";\n'}, None),
    ({"controller/base/a.c": "\tstrcpy(a, b);\n"}, "strcpy()"),
    ({"controller/base/a.c": "\tmy_strcpy(a, b);\n\tx->time(1);\n\ts.exit(2);\n"}, None),
    ({"controller/plan/a.c": "\tt = time(NULL);\n"}, "time()"),
    ({"controller/loop/a.c": "\tt = time(NULL);\n"}, None),
    ({"spec/a.c": "\tgetenv(\"X\");\n"}, "getenv()"),
    ({"controller/config/a.c": "\tgetenv(\"X\");\n"}, None),
    ({"controller/cli/a.c": "\texit(1);\n"}, "exit()"),
    ({"controller/main.c": "\texit(1);\n"}, None),
    ({"controller/git/a.c": "\tpopen(\"x\", \"r\");\n"}, "popen()"),
    ({"tests/sim/a.c": "\tsprintf(a, b);\n"}, "sprintf()"),
    ({"controller/plan/a.c": "#include <json-c/json.h>\n"}, "json-c/json.h"),
    ({"controller/base/jsn.c": "#include <json-c/json.h>\n"}, None),
    ({"controller/git/gitport.c": "#include <git2.h>\n"}, "git2.h"),
    ({"controller/git/gitread.c": "#include <git2.h>\n"}, None),
    ({"controller/pve/a.c": '#include "curl/curl.h"\n'}, "curl/curl.h"),
    ({"controller/net/httpeasy.h": HEAD + GUARD.replace("_A_", "_HTTPEASY_")
      + "#include <curl/curl.h>\n"}, "curl/curl.h belongs"),
    ({"controller/git/gitrepo.h": HEAD + GUARD.replace("_A_", "_GITREPO_") + "#include <git2.h>\n",
      "controller/git/gitread.c": '#include "gitrepo.h"\n',
      "controller/git/gitport.c": '#include <stdio.h>\n#include "gitrepo.h"\n'},
     "gitport.c:2: git2.h (by gitrepo.h)"),
    ({"controller/base/a.c": "#include <sqlite3.h>\n"}, "without an owner"),
    ({"controller/base/a.c": "#include <linux/seccomp.h>\n#include <stdlib.h>\n"}, None),
    ({"controller/a.def": 'ENDPOINT(A, GET, "/a")\n'}, "a call that nobody makes"),
    ({"controller/a.def": 'ENDPOINT(A, GET, "/a")\n', "controller/pve/a.c": "\tf(ENDPOINT_A);\n"}, None),
    ({"controller/base/a.c": "typedef struct a {\n"}, "typedef"),
    ({"controller/base/a.c": "int json_thing(int x)\n"}, "prefix"),
    ({"controller/base/a.c": "static int json_thing(int x)\n"}, None),
    ({"controller/base/a.c": "{\n" + "\tx;\n" * 98 + "}\n"}, None),
    ({"controller/base/a.c": "{\n" + "\tx;\n" * 99 + "}\n"}, "function longer"),
    ({"controller/base/a.c": "int x;\n" * 600}, None),
    ({"controller/base/a.c": "int x;\n" * 601}, "longer than 600"),
    ({"spec/a.def": "X(a)\n" * 601}, None),
    ({"controller/base/a.c": "int x;"}, "no line end"),
    ({"controller/base/a.c": "int x; \n"}, "blanks at the end"),
    ({"controller/base/a.c": "int x;\n", "spec/a.c": "int y;\n"}, "already used"),
    ({"controller/base/a.h": HEAD + GUARD}, None),
    ({"controller/base/a.h": HEAD + GUARD.replace("_A_", "_B_")}, "include guard"),
    ({"controller/base/a.h": "/*\n * a: x.\n *\n * Not y.\n */\n" + GUARD}, "four paragraphs"),
    ({"docs/a.md": f"see {house.MACHINE_PATHS[0]}main\n"}, "path of one machine"),
    ({"docs/a.md": f"see {OUTSIDE}/x\n"}, "outside the tree"),
    ({"tests/a.py": f"x = '{OUTSIDE}/x'\n"}, None),
    ({"tests/fixtures/a": "recorded \n"}, None),
    ({"notes.md": "x\n"}, "does not belong here"),
    ({"tests/a%s, b": "x\n"}, "does not belong here"),
    ({"README.md": "x\n", ".gitignore": "x\n"}, None),
]


def main():
    failed = 0
    for files, want in CASES:
        with tempfile.TemporaryDirectory() as tree:
            for name, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
                with open(os.path.join(tree, name), "w", encoding="utf-8") as f:
                    f.write(text)
            got = house.Lint(tree).run()
        good = not got if want is None else len(got) == 1 and want in got[0]
        if not good:
            failed += 1
            print(f"in {sorted(files)}: expected {want}, found {got}")
    print(f"{len(CASES)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
