"""`ramet validate` and `ramet schema` as a person calls them: exit codes, output, stdin, folders.

Usage: validate.py RAMET EXAMPLES
"""

import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import unittest

RAMET, EXAMPLES = sys.argv[1:3]
GOOD = """apiVersion: ramet.dev/v1
kind: ClonedVM
metadata: { name: %s }
spec: { node_name: pve1, clone: { source_vm_id: 9000 } }
"""
BAD = GOOD.replace("pve1,", "pve1, cpu: { cors: 4 },")


def run(*arguments, stdin=b"", **environment):
    plain = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    return subprocess.run([RAMET, *arguments], input=stdin, env={**plain, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def on_terminal(*arguments, **environment):
    """Output of the program when it writes to a terminal."""
    leader, follower = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    process = subprocess.Popen([RAMET, *arguments], env={**plain, "TERM": "xterm", **environment},
                               stdin=subprocess.DEVNULL, stdout=follower, stderr=follower)
    os.close(follower)
    output = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        output += part
    os.close(leader)
    process.wait(timeout=60)
    return output


class Validate(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def put(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def test_good_examples(self):
        done = run("validate", f"{EXAMPLES}/good")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, rb"^\d+ manifests in \d+ files: all valid\n$")
        self.assertEqual(done.stderr, b"")

    def test_each_bad_example(self):
        for path in sorted(pathlib.Path(EXAMPLES, "bad").iterdir()):
            done = run("validate", str(path))
            only_warnings = path.stem in ("warnings", "duplicate-mac")
            self.assertEqual(done.returncode, 0 if only_warnings else 1, path)
            self.assertIn(b"\n  hint: ", done.stdout, path)

    def test_finding_with_caret(self):
        self.put("a.yaml", BAD % "a")
        done = run("validate", str(self.path / "a.yaml"))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.decode(), f"""\
{self.path}/a.yaml:4:33: error: cpu has no key cors [UnknownKey]
  4 | spec: {{ node_name: pve1, cpu: {{ cors: 4 }}, clone: {{ source_vm_id: 9000 }} }}
    |                                 ^^^^
  hint: did you mean cores?
1 error, 0 warnings in 1 file; 0 manifests valid
""")

    def test_folders_are_searched_in_order(self):
        self.put("b/x.yml", GOOD % "x")
        self.put("a/y.yaml", GOOD % "y")
        self.put("a/not.txt", "[")
        self.put(".git/z.yaml", "[")
        self.put(".hidden.yaml", "[")
        self.assertEqual(run("validate", str(self.path)).stdout,
                         b"2 manifests in 2 files: all valid\n")
        self.put("b/x.yml", BAD % "x")
        self.put("a/y.yaml", BAD % "y")
        lines = run("validate", str(self.path)).stdout.decode().splitlines()
        places = [line.split(":")[0] for line in lines if "[UnknownKey]" in line]
        self.assertEqual(places, [f"{self.path}/a/y.yaml", f"{self.path}/b/x.yml"])

    def test_a_file_named_twice_is_one_file(self):
        self.put("a.yaml", GOOD % "a")
        done = run("validate", str(self.path), str(self.path / "a.yaml"))
        self.assertEqual((done.returncode, done.stdout), (0, b"1 manifest in 1 file: all valid\n"))

    def test_a_name_that_the_controller_passes_by(self):
        for name in ("a.json", "a.YAML"):
            self.put(name, GOOD % "a")
            done = run("validate", str(self.path / name))
            self.assertEqual((done.returncode, done.stdout), (0, b"1 manifest in 1 file: all valid\n"))
            self.assertIn(f"{name} was checked because it is named".encode(), done.stderr)
        # In a folder it is told of when only the size of the letters is wrong, and never taken.
        done = run("validate", str(self.path))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"/a.YAML: warning: the file is passed over", done.stdout)
        self.assertIn(b"0 errors, 1 warning in 1 file; 0 manifests valid\n", done.stdout)
        (self.path / "a.YAML").unlink()
        self.assertEqual(run("validate", str(self.path)).stdout, b"no manifests found\n")
        self.put("a.yml", GOOD % "a")
        self.assertEqual(run("validate", str(self.path / "a.yml")).stderr, b"")

    def test_standard_input(self):
        done = run("validate", "-", stdin=(GOOD % "a").encode())
        self.assertEqual((done.returncode, done.stdout), (0, b"1 manifest in 1 file: all valid\n"))
        done = run("validate", "-", stdin=b"a: [\n")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.startswith(b"-:2:1: error: "), done.stdout)

    def test_json(self):
        self.put("a.yaml", BAD % "a")
        done = run("validate", "--output", "json", str(self.path))
        self.assertEqual(done.returncode, 1)
        answer = json.loads(done.stdout)
        finding = answer.pop("findings")
        self.assertEqual(answer, {"files": 1, "manifests": 0, "errors": 1, "warnings": 0})
        self.assertEqual(finding, [{
            "code": "UnknownKey", "severity": "error", "file": f"{self.path}/a.yaml", "line": 4,
            "column": 33, "object": "a", "message": "cpu has no key cors",
            "hint": "did you mean cores?"}])

    def test_huge_and_odd_files(self):
        self.put("huge.yaml", b"# " + b"x" * (2 << 20))
        self.put("good.yaml", GOOD % "a")
        os.symlink("good.yaml", self.path / "link.yaml")
        os.mkfifo(self.path / "pipe.yaml")
        done = run("validate", str(self.path))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.count(b"[Unreadable]"), 3, done.stdout)
        self.assertIn(b"1 manifest valid", done.stdout)

    def test_missing_path_and_wrong_usage(self):
        done = run("validate", str(self.path / "nothing"))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No such file", done.stderr)
        for arguments in [("validate",), ("validate", "--nonsense", "x"),
                          ("validate", "--output", "xml", "x"), ("schema", "x")]:
            self.assertEqual(run(*arguments).returncode, 64, arguments)

    def test_colours_only_where_they_belong(self):
        self.put("a.yaml", BAD % "a")
        path = str(self.path / "a.yaml")
        escape = b"\033["
        self.assertNotIn(escape, run("validate", path).stdout)
        self.assertIn(escape, on_terminal("validate", path))
        self.assertNotIn(escape, on_terminal("validate", path, "--no-color"))
        self.assertNotIn(escape, on_terminal("validate", path, NO_COLOR="1"))
        self.assertIn(escape, on_terminal("validate", path, NO_COLOR=""))

    def test_nothing_from_a_file_reaches_the_terminal_raw(self):
        self.put("a.yaml", (BAD % "a").replace("cors", '"\\e[31mx"'))
        self.assertNotIn(b"\033[31mx", on_terminal("validate", str(self.path), "--no-color"))

    def test_schema(self):
        done = run("schema")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["$schema"],
                         "https://json-schema.org/draft/2020-12/schema")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
