#!/usr/bin/env python3
"""Rules of the house that no compiler knows. Usage: house.py TREE

Prints one line per breach (file:line: what) and exits with 1 if there are any.
"""
import os
import re
import subprocess
import sys

FILE_LINES = 600
FUNCTION_LINES = 100

# One owner per library: these files only may include its header, by themselves or by a header of ours.
OWNERS = [
    (r"json-c/", r"controller/base/jsn\.c"),
    (r"yaml\.h", r"spec/ydoc\.c"),
    (r"curl/", r"controller/net/http(c|easy)\.c|controller/git/githttp(ask)?\.c"),
    (r"git2(/|\.h)", r"controller/git/git((http|ssh|worker)\.c|(list|read|repo|sign|sub|write)\.[ch])"),
    (r"event2/", r"controller/loop/\w+\.c|controller/http/httpd\.c|tests/sim/.*\.c|tests/bench/.*\.c"),
    (r"openssl/", r"controller/base/crypt\.c|controller/net/tlspin\.c|tests/.*\.[ch]"),
    (r"zlib\.h", r"tests/sim/sim_head\.c|tests/unit/sim/.*\.c"),
    (r"cmocka\.h", r"tests/.*\.[ch]"),
]

# Headers of libc and the kernel: nobody owns them. Every other one in <> has an owner above.
SYSTEM = re.compile(r"(arpa|linux|netinet|sys)/\w+\.h|(" + "|".join("""
    ctype dirent dlfcn errno fcntl float fnmatch ftw getopt glob inttypes limits locale malloc math
    poll regex sched setjmp signal stdarg stdatomic stdbool stddef stdint stdio stdlib string strings
    time unistd""".split()) + r")\.h")

# Functions, and where they are allowed all the same (None: nowhere).
FORBIDDEN = [
    (r"strcpy|strcat|sprintf|vsprintf|atoi|atol|atoll|atof|strtok|strtok_r|gets|alloca", None),
    (r"time|gettimeofday|clock_gettime|clock|usleep|nanosleep|sleep",
     r"controller/loop/.*|tests/sim/main/.*"),
    (r"getenv|secure_getenv", r"controller/config/.*|tests/.*"),
    (r"exit", r"controller/main\.c|tests/.*"),
    (r"abort", r"controller/base/mem\.c|tests/.*"),
    (r"system|popen", None),
]
FOREIGN_PREFIX = r"(git|curl|event|evhttp|ev|yaml|json)_"

CODE = re.compile(r"(controller|spec|tests)/.*\.[ch]$")
OURS = re.compile(r"(controller|spec|tests/sim)/")
# Kept as others wrote or recorded them.
VERBATIM = re.compile(r"(tests/(fuzz/corpus|fixtures)/|spec/examples/|LICENSE$)")
# Put together here, so that this file does not hold them.
MACHINE_PATHS = ["/" + "work/", "/" + "tmp/brief"]
OUTSIDE_TREE = "../" + "shared"

# A slip of the shell leaves a file with another name than anybody would give it, or in the top folder.
FILE_NAME = re.compile(r"[\w./+-]+")
TOP_LEVEL = re.compile(r"(CMakeLists\.txt|CMakePresets\.json|LICENSE|README\.md|\.[\w.-]+"
                       r"|(\.ci|charts|controller|deploy|docs|spec|tests)/.+)")


def files_of(tree):
    """Everything that is, or would be, under version control."""
    got = subprocess.run(
        ["git", "-C", tree, "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True, check=False)
    if got.returncode == 0:
        names = got.stdout.decode().split("\0")
    else:
        names = [os.path.relpath(os.path.join(d, f), tree)
                 for d, _, fs in os.walk(tree) for f in fs
                 if not os.path.relpath(d, tree).startswith(("build", ".git"))]
    return sorted(n for n in set(names) if n and os.path.isfile(os.path.join(tree, n)))


def bare(text, keep_strings=False):
    """C without comments (and without what stands in quotes), each line in its place."""
    def blank(m):
        s = m.group(0)
        if s[0] in "\"'":
            return s if keep_strings else s[0] + s[0]
        return "\n" * s.count("\n") or " "
    return re.sub(r'"(\\.|[^"\\\n])*"|\'(\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', blank, text,
                  flags=re.S)


class Lint:
    def __init__(self, tree):
        self.tree = tree
        self.found = []
        self.calls, self.made = {}, set()
        self.includes = {}  # of each file: (line, header)

    def say(self, name, line, what):
        self.found.append(f"{name}:{line}: {what}")

    def run(self):
        stems = {}
        for name in files_of(self.tree):
            if VERBATIM.match(name):
                continue
            with open(os.path.join(self.tree, name), "rb") as f:
                raw = f.read()
            if b"\0" in raw:
                continue
            text = raw.decode("utf-8", "replace")
            if not FILE_NAME.fullmatch(name) or not TOP_LEVEL.fullmatch(name):
                self.say(name, 1, "a file that does not belong here")
            self.text_rules(name, text)
            if name.endswith((".c", ".h", ".def")):
                base = os.path.basename(name)
                if base in stems:
                    self.say(name, 1, f"file name already used by {stems[base]}")
                stems.setdefault(base, name)
            if CODE.match(name):
                self.code_rules(name, text)
            if name.startswith("controller/"):
                self.endpoints(name, text)
        for word in sorted(set(self.calls) - self.made):
            self.say(*self.calls[word], f"{word}: a call that nobody makes, and its privilege is asked for")
        self.owners(stems)
        return self.found

    def endpoints(self, name, text):
        if name.endswith(".def"):
            for n, line in enumerate(text.split("\n"), 1):
                if m := re.match(r"ENDPOINT\((\w+),", line):
                    self.calls[f"ENDPOINT_{m.group(1)}"] = (name, n)
        self.made |= set(re.findall(r"\bENDPOINT_\w+", bare(text)))

    def owners(self, stems):
        reached = {}

        def reach(name):
            """The headers of libraries that come with a file, by whatever way."""
            if name not in reached:
                reached[name] = set()  # ends a circle
                for _, header in self.includes.get(name, []):
                    owned = {header} if any(re.match(h, header) for h, _ in OWNERS) else set()
                    reached[name] |= owned or reach(stems.get(header, ""))
            return reached[name]

        for name, includes in self.includes.items():
            for n, header in includes:
                got = {header} | reach(stems.get(header, ""))
                for pattern, owner in OWNERS:
                    theirs = sorted(h for h in got if re.match(pattern, h))
                    if theirs and not re.fullmatch(owner, name):
                        by = "" if header in theirs else f" (by {header})"
                        self.say(name, n, f"{theirs[0]}{by} belongs to other files: {owner}")

    def text_rules(self, name, text):
        # A table is read by the row: .def files may be longer.
        lines = text.split("\n")
        if name.endswith((".c", ".h", ".py", ".sh")) and len(lines) - 1 > FILE_LINES:
            self.say(name, len(lines), f"longer than {FILE_LINES} lines")
        if text and not text.endswith("\n"):
            self.say(name, len(lines), "no line end at the end of the file")
        for n, line in enumerate(lines, 1):
            for word in MACHINE_PATHS:
                if word in line:
                    self.say(name, n, f"path of one machine: {word}")
            if OUTSIDE_TREE in line and not name.startswith("tests/"):
                self.say(name, n, "refers to files outside the tree")
            if line != line.rstrip() and not name.endswith(".md"):
                self.say(name, n, "blanks at the end of the line")

    def code_rules(self, name, text):
        # In bare code an #include "x.h" would be blank, so it is looked for with strings kept.
        found = self.includes[name] = []
        for n, line in enumerate(bare(text, keep_strings=True).split("\n"), 1):
            if m := re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line):
                found.append((n, m.group(2)))
                owned = any(re.match(header, m.group(2)) for header, _ in OWNERS)
                if m.group(1) == "<" and not owned and not SYSTEM.fullmatch(m.group(2)):
                    self.say(name, n, f"{m.group(2)}: a library without an owner")
        code = bare(text).split("\n")
        self.functions(name, code)
        for n, line in enumerate(code, 1):
            if re.search(r"\btypedef\s+(struct|enum|union)\b", line):
                self.say(name, n, "typedef of a struct, enum or union")
            if not OURS.match(name):
                continue
            for words, allowed in FORBIDDEN:
                m = re.search(rf"(?<![\w.>])({words})\s*\(", line)
                if m and not (allowed and re.fullmatch(allowed, name)):
                    self.say(name, n, f"{m.group(1)}() is not used here")
            m = re.match(rf"(?!static\b)\w[\w\s*]*?\b({FOREIGN_PREFIX}\w+)\s*\(", line)
            if m:
                self.say(name, n, f"{m.group(1)}: a prefix of one of our libraries")
        if name.endswith(".h") and OURS.match(name):
            self.header(name, text)

    def functions(self, name, code):
        start = None
        for n, line in enumerate(code, 1):
            if line == "{":
                start = n
            elif line == "}" and start:
                if n - start + 1 > FUNCTION_LINES:
                    self.say(name, start, f"function longer than {FUNCTION_LINES} lines")
                start = None

    def header(self, name, text):
        guard = "RAMET_" + re.sub(r"\W", "_", os.path.basename(name)).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            self.say(name, 1, f"no include guard {guard}")
        head = re.match(r"/\*\n(.*?)\*/", text, re.S)
        paragraphs = re.split(r"\n \*\n", head.group(1)) if head else []
        if len(paragraphs) < 4:
            self.say(name, 1, "head comment with less than four paragraphs (what it is, what it is "
                     "not, who owns what, which process)")


def main():
    found = Lint(sys.argv[1]).run()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
