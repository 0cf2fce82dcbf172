"""What verify.py must not take, and what it must tell apart: rules.py FORMATS.md PROTO...

Entries that are written against the rules, a receipt and a refusal, a log that vouches for itself, a call that names no
file. The entries are the page's own, or made here of them with the keys of its examples."""
import base64, re, subprocess, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import examples, verify

OURS, THEIRS = "530102.yichuan/log/1", "520624.yichuan/log/1"
SEEDS = {OURS: b"\x07" * 32, THEIRS: b"\x09" * 32}
AT = 1772640060


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def put(number, value):
    """A field: a number, or what stands behind its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def sign(origin, text):
    return Ed25519PrivateKey.from_private_bytes(SEEDS[origin]).sign(text.encode())


def checkpoint(origin, leaves):
    """A Checkpoint of a whole log."""
    root = verify.root_at(verify.subtrees(leaves), len(leaves))
    signature = sign(origin, verify.body(origin, len(leaves), root))
    return put(1, origin) + put(2, len(leaves)) + put(3, root) + put(4, signature)


def head(last, code):
    """How an entry of the node itself begins."""
    return put(1, 1) + put(2, 1772640000000) + put(3, bytes(15) + bytes([last])) + put(4, "spiffe://%s.yichuan/node" % code)


def refusal_of(sent, started):
    """An entry that keeps the partner's refusal of entry 1 of our log."""
    received = put(1, sent) + put(2, 1) + put(3, verify.sha(b"\0", started)) + put(4, checkpoint(OURS, [started, sent]))
    theirs = [b"a log looks into no leaf", head(10, "520624") + put(16, received + put(5, 4))]
    root = verify.root_at(verify.subtrees([started, sent]), 2)
    cosignature = sign(THEIRS, verify.COSIGNED % (AT, verify.body(OURS, 2, root)))
    proof = put(1, theirs[1]) + put(2, 1) + put(3, verify.sha(b"\0", theirs[0])) + put(4, checkpoint(THEIRS, theirs))
    proof += put(5, AT) + put(6, cosignature) + put(7, 2) + put(8, root)
    dispatch = verify.entry(sent)[14][1]
    return head(11, "530102") + put(18, put(1, "520624") + put(2, dispatch) + put(3, 1) + put(4, 4) + put(5, proof))


def what_is_written_against_the_rules_is_refused(ours, keys):
    start, policy = head(12, "530102"), put(11, b"")
    good = start + policy
    assert verify.check_entry(good, ours, keys) is None
    terms = lambda seconds: start + put(14, put(8, put(1, seconds)))
    verify.entry(terms(2**32 - 1))
    bad = {
        "a number longer than it need be": b"\x08\x81\x00" + good[2:],
        "a time longer than it need be": good[:2] + b"\x10\x81\x00" + good[9:],
        "a tag longer than it need be": good[:2] + b"\x90\x00" + good[3:],
        "a length longer than it need be": start + b"\x5a\x80\x00",
        "a time above 64 bits": good[:2] + b"\x10" + b"\xff" * 9 + b"\x02" + good[9:],
        "a number without end": good[:2] + b"\x10" + b"\xff" * 10 + b"\x01" + good[9:],
        "a number above 32 bits": terms(2**32),
        "a time that is 0": good[:2] + b"\x10\x00" + good[9:],
        "a truth of 2": start + put(19, put(1, 1) + put(3, 2)),
        "a text that is empty": start + put(6, "") + policy,
        "a text that is none": start + put(6, b"\xff") + policy,
        "field 0": b"\x08\x01\x00\x01" + good[2:],
        "field 7": start + put(7, 1) + policy,
        "a kind that is unknown": start + put(25, b""),
        "a field unknown inside a kind": start + put(11, put(3, b"x")),
        "a field twice": start + put(4, "x") + policy,
        "fields in another order": good[:2] + good[9:] + good[2:9],
        "a number as bytes": good[:2] + put(2, b"x") + good[9:],
        "bytes as a number": start + put(11, 1),
        "bytes of a fixed length": start + b"\x59" + b"x" * 8,
        "no kind": start,
        "two kinds": start + policy + put(12, put(1, b"x")),
        "the same kind twice": start + policy + policy,
        "a receipt and a refusal": start + put(17, put(1, "520624")) + put(18, put(1, "520624")),
        "another version": b"\x08\x02" + good[2:],
        "an end too soon": good[:-1],
        "nothing": b"",
        "more than a leaf holds": start + put(12, put(1, b"x" * 65535)),
    }
    for what, leaf in bad.items():
        for check, args in ((verify.check_entry, (ours, keys)), (leaves, (keys,))):
            try:
                check(leaf, *args)
            except (ValueError, IndexError):
                continue
            raise AssertionError("%s was taken" % what)
    return len(bad)


def leaves(leaf, keys):
    """As an export has it."""
    return verify.check_leaves([leaf], verify.subtrees([leaf]), keys)


def answers_are_told_apart(block, ours, keys):
    started, sent, receipt = (block["leaf-" + name] for name in ("log-started", "dispatch-sent", "receipt-logged"))
    refusal = refusal_of(sent, started)
    assert verify.check_entry(receipt, ours, keys)[:2] == ("receipt", 1)
    assert verify.check_entry(refusal, ours, keys)[:2] == ("refusal", 1)
    log = [started, sent, receipt, refusal, block["leaf-policy-changed"]]
    assert verify.check_leaves(log, verify.subtrees(log), keys) == (1, 1)
    said = [verify.check_proof(proof(log[:size + 1]), keys) for size in (2, 3)]
    assert said[0].endswith("keeps a receipt of entry 1") and said[1].endswith("keeps a refusal of entry 1"), said


def proof(log):
    """The proof of the last entry of a log of three or four."""
    size, levels = len(log), verify.subtrees(log)
    path = [levels[1][0]] if size == 3 else [levels[0][2], levels[1][0]]
    lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(log[-1]).decode(), "index %d" % (size - 1)]
    lines += [base64.b64encode(hash).decode() for hash in path]
    body = verify.body(OURS, size, verify.root_at(levels, size))
    return "\n".join(lines + ["", body, line(OURS, 1, sign(OURS, body))]).encode()


def line(name, kind, signature):
    """A signature line, with our key's id."""
    key_id = examples.key_of_seed(OURS, SEEDS[OURS]).id(name, kind)
    return "— %s %s\n" % (name, base64.b64encode(key_id + signature).decode())


def a_log_is_no_witness_of_itself(block, keys):
    note = block["checkpoint"].decode()
    body = note.split("\n\n")[0] + "\n"
    signature = AT.to_bytes(8, "big") + sign(OURS, verify.COSIGNED % (AT, body))
    by = verify.check_note((note + line("530102.yichuan", 4, signature)).encode(), keys)[3]
    assert by == "nobody", by


def a_call_that_checks_nothing_fails(page):
    for args in (["proof", "--key", "A", "--key", "B"], ["proof", "--key", "A"], ["export"], ["proof", page], [],
                 ["proof", page, "--key"], ["other", page, "--key", "A"], ["proof", page, "--key", "A", page, "B"]):
        ended = subprocess.run([sys.executable, verify.__file__] + args, capture_output=True, timeout=60)
        assert ended.returncode == 1 and not ended.stdout and b"--key VKEY" in ended.stderr, (args, ended)


def the_fields_are_those_of(proto):
    """verify.py's table of messages is that of the proto files: a field that is added there is refused until it is known."""
    letters = {"uint32": "i", "uint64": "u", "bool": "t", "string": "s", "bytes": "b"}
    enums = re.findall(r"^enum (\w+)", proto, re.M)
    stated = {}
    for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", proto, re.M | re.S):
        found = {int(number): ("i" if kind in enums else letters.get(kind, kind)) + "*" * bool(repeated)
                 for repeated, kind, number in re.findall(r"^ +(repeated )?(\w+) \w+ = (\d+);", body, re.M)}
        stated[name] = [found.get(number, "-") for number in range(1, max(found) + 1)]
    inside, found = {}, ["Entry"]
    while found:
        name = found.pop()
        inside[name] = stated[name]
        found += [kind.rstrip("*") for kind in inside[name] if kind.rstrip("*") in stated]
    assert verify.MESSAGES == inside, inside
    return sum(kind != "-" for kinds in inside.values() for kind in kinds)


def main():
    page, *protos = sys.argv[1:]
    block = examples.blocks(page)
    keys = verify.Keys((origin, examples.key_of_seed(origin, seed)) for origin, seed in SEEDS.items())
    fields = the_fields_are_those_of("".join(verify.read(proto).decode() for proto in protos))
    bad = what_is_written_against_the_rules_is_refused(keys[OURS], keys)
    answers_are_told_apart(block, keys[OURS], keys)
    a_log_is_no_witness_of_itself(block, keys)
    a_call_that_checks_nothing_fails(page)
    print("   %d fields as in the proto files; %d entries against the rules refused; receipt and refusal told apart" % (fields, bad))


if __name__ == "__main__":
    main()
