"""What verify.py says to whoever changes something: tamper.py EXPORT CASE --key VKEY...

Each byte of each proof is changed in one bit, each of its lines is taken out, and every file of the export is changed,
cut, extended and taken away. All of it must be refused; only a cosignature's line may be made one of nobody's."""
import os, subprocess, sys
import verify

FLAWS = (ValueError, IndexError, OSError)


def refused(check, *args):
    try:
        return check(*args) and None
    except FLAWS as why:
        return str(why) or repr(why)


def tamper_with_proof(path, keys):
    text = verify.read(path)
    said = verify.check_proof(text, keys)
    changes = [text[:at] + bytes([text[at] ^ 1 << at % 8]) + text[at + 1:] for at in range(len(text))]
    lines = text.splitlines(keepends=True)
    changes += [b"".join(lines[:at] + lines[at + 1:]) for at in range(len(lines))]
    for changed in changes:
        if refused(verify.check_proof, changed, keys):
            continue
        # What stands before the last line and is signed is as it was; its cosigner is nobody now.
        assert b"\n".join(changed.split(b"\n")[:-2]) in text and changed[:-200] in text, path
        assert verify.check_proof(changed, keys) != said and "cosigned by nobody" in verify.check_proof(changed, keys), path
    return len(changes)


def tamper_with_export(folder, keys):
    changes, words = 0, set()
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            intact = verify.read(path)
            places = sorted({place * (len(intact) - 1) // 40 for place in range(41)})
            changed = [intact[:at] + bytes([intact[at] ^ 1 << at % 8]) + intact[at + 1:] for at in places]
            for tampered in changed + [intact[:-1], intact + b"\0", b"", None]:
                os.remove(path)
                if tampered is not None:
                    with open(path, "wb") as file:
                        file.write(tampered)
                why = refused(verify.check_export, folder, keys)
                with open(path, "wb") as file:
                    file.write(intact)
                assert why, "%s was changed, and nobody saw it" % path
                words.add(why.split(" ")[0])
                changes += 1
    added = os.path.join(folder, "tile", "0", "001")
    with open(added, "wb") as file:
        file.write(b"x")
    assert "no part of a log" in refused(verify.check_export, folder, keys)
    os.remove(added)
    return changes + 1


def main():
    first = sys.argv.index("--key")
    export, case = sys.argv[1:first]
    given = sys.argv[first + 1::2]
    keys = verify.Keys((key.name, key) for key in map(verify.Key, given))
    proofs = [os.path.join(case, name) for name in sorted(os.listdir(case)) if name.endswith(".tlog-proof")]
    changes = sum(tamper_with_proof(path, keys) for path in proofs)
    print("   %d changes to %d proofs were refused" % (changes, len(proofs)))
    print("   %d changes to the export were refused" % tamper_with_export(export, keys))
    # And as somebody at a terminal sees it.
    program = [sys.executable, verify.__file__]
    with open(proofs[0], "r+b") as file:
        file.seek(60)
        file.write(b"AAAA")
    ended = subprocess.run(program + ["proof", proofs[0], "--key", given[0], "--key", given[1]], capture_output=True, timeout=60)
    assert ended.returncode == 1 and ended.stderr.startswith(b"refused: "), ended
    print("   " + ended.stderr.decode().strip())
    other = subprocess.run(program + ["export", export, "--key", given[1]], capture_output=True, timeout=60)
    assert other.returncode == 1 and b"no key was given for" in other.stderr, other
    print("   " + other.stderr.decode().strip())


if __name__ == "__main__":
    main()
