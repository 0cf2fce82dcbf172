"""What verify.py must not take, and what it must tell apart: rules.py FORMATS.md PROTO...

Entries that are written against the rules, logs that do not hold together, answers that are none, a log that vouches for
itself, a call that names no file. The entries are the page's own, or made here of them with the keys of its examples."""
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


def encode(found):
    """What verify.message reads, written again."""
    each = ((number, one) for number, value in sorted(found.items()) for one in (value if isinstance(value, list) else [value]))
    return b"".join(put(number, encode(one) if isinstance(one, dict) else one) for number, one in each if one != 0)


def changed(found, changes):
    """The same with other values in some fields, at whatever depth; without those that are None."""
    merged = {number: changed(found[number], value) if isinstance(value, dict) and number in found else value
              for number, value in changes.items()}
    return {number: value for number, value in {**found, **merged}.items() if value is not None}


def refusal_of(ours, index=1, kept=None, inner=None, by=THEIRS, **stated):
    """An entry that keeps a partner's refusal of entry 1 of our log, which has the entries `ours`. What it keeps of that
    entry, and the log that it saw, can be others; `stated` are other values in our own words."""
    inner, sent, code = inner or ours, ours[1] if kept is None else kept, by[:6]
    received = put(1, sent) * bool(sent) + put(2, index) * bool(index) + put(3, verify.sha(b"\0", inner[0])) + put(4, checkpoint(OURS, inner))
    theirs = [b"a log looks into no leaf", head(10, code) + put(16, received + put(5, 4))]
    root = verify.root_at(verify.subtrees(ours), 2)
    cosignature = sign(by, verify.COSIGNED % (AT, verify.body(OURS, 2, root)))
    proof = {1: theirs[1], 2: 1, 3: verify.sha(b"\0", theirs[0]), 4: verify.message("Checkpoint", checkpoint(by, theirs)),
             5: AT, 6: cosignature, 7: 2, 8: root}
    dispatch = verify.entry(ours[1], OURS[:6])[14][1]
    answer = {1: code, 2: stated.get("dispatch", dispatch), 3: stated.get("sent_index", 1), 4: 4, 5: proof}
    return head(11, OURS[:6]) + put(18, encode(answer))


def what_is_written_against_the_rules_is_refused(block, ours, keys):
    started, policy = head(12, "530102"), put(11, b"")
    good = started + policy
    sent = verify.entry(block["leaf-dispatch-sent"], ours.code)
    assert encode(sent) == block["leaf-dispatch-sent"]
    read = changed({**sent, 19: {1: 2, 2: [bytes(16)]}}, {14: None})
    approved = verify.entry(block["leaf-referral-approved"], ours.code)
    drafted = changed({**sent, 21: {1: changed(sent[14], {4: 21})}}, {14: None})
    received = head(13, "530102") + put(15, put(1, sent_to_us()) + put(4, checkpoint(THEIRS, [sent_to_us()])))
    honest = [good, encode(sent), encode(read), encode(changed(read, {4: "spiffe://440000.yichuan/officer/1"})), encode(approved),
              encode(drafted), received, encode(changed(sent, {14: {4: 26, 9: 5, 6: 3, 8: {1: 28800}}})),
              encode(changed(approved, {22: None, 30: {1: "440000"}})), encode(changed(sent, {14: None, 31: {1: "440000", 2: 2}})),
              encode(changed(approved, {22: None, 33: {1: "440000", 2: bytes(32)}}))]
    for leaf in honest:
        assert verify.check_entry(leaf, ours, keys) is None
        assert leaves(block, leaf, keys) == (0, 0)
    in_sent = lambda changes: encode(changed(sent, {14: changes}))
    bad = {
        "a number longer than it need be": b"\x08\x81\x00" + good[2:],
        "a time longer than it need be": good[:2] + b"\x10\x81\x00" + good[9:],
        "a tag longer than it need be": good[:2] + b"\x90\x00" + good[3:],
        "a length longer than it need be": started + b"\x5a\x80\x00",
        "a time above 64 bits": good[:2] + b"\x10" + b"\xff" * 9 + b"\x02" + good[9:],
        "a number without end": good[:2] + b"\x10" + b"\xff" * 10 + b"\x01" + good[9:],
        "a number above 32 bits": in_sent({8: {2: 2**32}}),
        "a time that is 0": good[:2] + b"\x10\x00" + good[9:],
        "a truth of 2": encode(changed(read, {19: {3: 2}})),
        "a text that is empty": started + put(6, "") + policy,
        "a text that is none": started + put(6, b"\xff") + policy,
        "field 0": b"\x08\x01\x00\x01" + good[2:],
        "field 7": started + put(7, 1) + policy,
        "a kind that is unknown": started + put(25, b""),
        "a field unknown inside a kind": started + put(11, put(3, b"x")),
        "a field twice": started + put(4, "x") + policy,
        "fields in another order": good[:2] + good[9:] + good[2:9],
        "a number as bytes": good[:2] + put(2, b"x") + good[9:],
        "bytes as a number": started + put(11, 1),
        "bytes of a fixed length": started + b"\x59" + b"x" * 8,
        "no kind": started,
        "two kinds": started + policy + put(12, put(1, b"x")),
        "the same kind twice": started + policy + policy,
        "a receipt and a refusal": block["leaf-receipt-logged"] + put(18, put(1, "520624")),
        "another version": b"\x08\x02" + good[2:],
        "no version": good[2:],
        "an end too soon": good[:-1],
        "bytes that end too soon": encode(sent)[:-1],
        "nothing": b"",
        "more than a leaf holds": encode(changed(sent, {14: None, 12: {1: b"x" * 65535}})),
        "an id of 15 bytes": encode(changed(sent, {3: bytes(15)})),
        "no principal": encode(changed(sent, {4: None})),
        "a principal that is none": encode(changed(sent, {4: "rubbish"})),
        "a number of a person that is too long": encode(changed(sent, {4: "spiffe://530102.yichuan/officer/" + 17 * "1"})),
        "a jurisdiction that cannot be": encode(changed(read, {4: "spiffe://990102.yichuan/officer/001"})),
        "a person of another jurisdiction": encode(changed(sent, {4: "spiffe://520624.yichuan/officer/001"})),
        "a dispatch by the node": encode(changed(sent, {4: "spiffe://530102.yichuan/node"})),
        "an approval by an officer": encode(changed(approved, {4: "spiffe://530102.yichuan/officer/001"})),
        "a suspension by an officer": encode(changed(sent, {14: None, 30: {1: "440000"}})),
        "a change of a partner that is none": encode(changed(sent, {14: None, 31: {1: "440000", 2: 3}})),
        "a policy by an officer": encode(changed(sent, {14: None, 11: {}})),
        "a look by the node": encode(changed(read, {4: "spiffe://530102.yichuan/node"})),
        "a person without grounds": encode(changed(sent, {5: None, 6: None})),
        "a purpose without a basis": encode(changed(sent, {6: None})),
        "a basis without a purpose": encode(changed(sent, {5: None})),
        "a purpose that is unknown": encode(changed(sent, {5: 6})),
        "an enumeration far beyond": encode(changed(sent, {5: 0xffffffff})),
        "a basis that is none": encode(changed(sent, {6: "rubbish"})),
        "a month of a case that is none": encode(changed(sent, {6: "case:A5301020000002026130001"})),
        "a campaign in another spelling": encode(changed(sent, {6: "campaign:520624-2026-001"})),
        "campaign 0": encode(changed(sent, {6: "campaign:520624-2026-00"})),
        "from another": in_sent({2: "520624"}),
        "to itself": in_sent({3: "530102"}),
        "to nobody": in_sent({3: None}),
        "no action": in_sent({4: None}),
        "an action that is unknown": in_sent({4: 41}),
        "a record id of 1 byte": in_sent({5: b"x"}),
        "no urgency": in_sent({6: None}),
        "an urgency that is unknown": in_sent({6: 4}),
        "no handling": in_sent({7: None}),
        "no terms": in_sent({8: None}),
        "another time to sign": in_sent({8: {1: 28800}}),
        "another time to sign what is urgent": in_sent({6: 2}),
        "a thirteenth month": in_sent({8: {3: 203113}}),
        "a month before all": in_sent({8: {3: 199912}}),
        "a return without a reason": in_sent({4: 4}),
        "a reason without a return": in_sent({9: 1}),
        "a reason that is unknown": in_sent({4: 4, 9: 6}),
        "a predecessor of 31 bytes": in_sent({10: [bytes(31)]}),
        "nine predecessors": in_sent({10: [bytes(32)] * 9}),
        "a digest of 31 bytes": in_sent({11: bytes(31)}),
        "a ciphertext shorter than its nonce and tag": in_sent({12: 27}),
        "a ciphertext over the limit": in_sent({12: 262145}),
        "a commitment of 1 byte": in_sent({13: b"x"}),
        "a draft of nobody's terms": encode(changed(drafted, {21: {1: {8: None}}})),
        "a draft that is empty": encode(changed(drafted, {21: None, 15: None})) + put(21, b""),
        "an approval of 1 byte": encode(changed(approved, {22: {2: b"x"}})),
        "no way of looking": encode(changed(read, {19: {1: None}})),
        "a way of looking that is unknown": encode(changed(read, {19: {1: 6}})),
        "entries named where records were read": encode(changed(read, {19: {4: 7}})),
        "a record looked at of 3 bytes": encode(changed(read, {19: {2: [bytes(3)]}})),
        "1,001 records": encode(changed(read, {19: {2: [bytes(16)] * 1001}})),
    }
    for what, leaf in bad.items():
        for check, args in ((verify.check_entry, (leaf, ours, keys)), (leaves, (block, leaf, keys))):
            assert refused(check, *args), "%s was taken" % what
    return len(bad)


def refused(check, *args):
    try:
        check(*args)
    except (ValueError, IndexError):
        return True
    return False


def sent_to_us():
    """An entry of the other log: a dispatch to ours."""
    terms = {1: 86400, 2: 20882, 3: 203103}
    sent = {1: bytes(16), 2: "520624", 3: "530102", 4: 1, 5: bytes(16), 6: 1, 7: 1, 8: terms, 11: bytes(32), 12: 76, 13: bytes(32)}
    return encode({1: 1, 2: 1772640000000, 3: bytes(16), 4: "spiffe://520624.yichuan/officer/1", 5: 1,
                   6: "campaign:520624-2026-01", 14: sent})


def leaves(block, leaf, keys):
    """As an export has it: behind the entry that a log starts with."""
    log = [block["leaf-log-started"], leaf]
    return verify.check_leaves(log, verify.subtrees(log), keys)


def answers_are_told_apart(block, ours, keys):
    started, sent, receipt = (block["leaf-" + name] for name in ("log-started", "dispatch-sent", "receipt-logged"))
    again = encode(changed(verify.entry(sent, ours.code), {3: bytes(16)}))
    refusal = refusal_of([started, sent])
    assert verify.check_entry(receipt, ours, keys)[:2] == ("receipt", 1)
    assert verify.check_entry(refusal, ours, keys)[:2] == ("refusal", 1)
    log = [started, sent, block["leaf-policy-changed"]]
    count = lambda *more: verify.check_leaves(log + list(more), verify.subtrees(log + list(more)), keys)
    assert (count(receipt), count(refusal), count()) == ((1, 0), (0, 1), (0, 0))
    said = [verify.check_proof(proof([started, sent, last]), keys) for last in (receipt, refusal)]
    assert said[0].endswith("keeps a receipt of entry 1") and said[1].endswith("keeps a refusal of entry 1"), said
    # Alone it can be one of a leaf over the limit; in its log it is seen that this leaf is not.
    left_out = refusal_of([started, sent], kept=b"")
    assert verify.check_entry(left_out, ours, keys)[:3] == ("refusal", 1, b"")
    for what, more in {
        "an answer twice": [receipt, receipt],
        "a receipt and a refusal of one dispatch": [receipt, refusal],
        "a leaf left out": [left_out],
        "an answer to another entry at that index": [refusal_of([started, sent], kept=again, inner=[started, again])],
        "an answer over another tree of that size": [refusal_of([started, sent], inner=[b"a fork", sent])],
        "an answer to another dispatch": [refusal_of([started, sent], dispatch=bytes(16))],
        "an answer to nothing": [refusal_of([started, sent], kept=b"", index=0, sent_index=0)],
        "an answer to another index": [refusal_of([started, sent], sent_index=2)],
        "an answer that this log gives itself": [refusal_of([started, sent], by=OURS)],
        "an answer that is logged by an officer": [encode(changed(verify.entry(receipt, ours.code),
                                                   {4: "spiffe://530102.yichuan/officer/001", 5: 1, 6: "campaign:520624-2026-01"}))],
        "an answer that another node logs": [encode(changed(verify.entry(receipt, ours.code), {4: "spiffe://520624.yichuan/node"}))],
    }.items():
        assert refused(count, *more), "%s was taken" % what
    other_key = changed(verify.entry(started, ours.code), {10: {2: keys[THEIRS].text}})
    for what, other in {
        "no start": log[1:], "a start with another key": [encode(other_key)] + log[1:],
        "a second start": log + [started], "an answer before its dispatch": [started, receipt, sent],
        "a clock that goes back": log + [encode(changed(verify.entry(sent, ours.code), {2: 1772639999999}))],
    }.items():
        assert refused(verify.check_leaves, other, verify.subtrees(other), keys), "%s was taken" % what


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
    # Nor with the key of another epoch; and a partner's signature under its log's name is no cosignature.
    later = examples.key_of_seed("530102.yichuan/log/2", b"\x0b" * 32)
    signature = Ed25519PrivateKey.from_private_bytes(b"\x0b" * 32).sign((verify.COSIGNED % (AT, body)).encode())
    with_later = note + signature_line("530102.yichuan", later.id("530102.yichuan", 4), AT.to_bytes(8, "big") + signature)
    theirs = note + signature_line(THEIRS, keys[THEIRS].id(THEIRS, 1), sign(THEIRS, body))
    for text in (with_later, theirs):
        by = verify.check_note(text.encode(), verify.Keys({**keys, later.name: later}))[3]
        assert by == "nobody", by


def notes_that_are_none_are_refused(block, keys):
    note = block["checkpoint"].decode()
    for name in ("a+b", "a\u00a0b", "a\u2028b", "a\u0085b", "a\x7fb", "a\tb", ""):
        assert refused(verify.check_note, (note + signature_line(name, b"abcd", b"x")).encode(), keys), repr(name)
    body = verify.body(OURS, 2**64, bytes(32))
    assert refused(verify.check_note, ("%s\n%s" % (body, line(OURS, 1, sign(OURS, body)))).encode(), keys)


def signature_line(name, key_id, signature):
    return "— %s %s\n" % (name, base64.b64encode(key_id + signature).decode())


def a_call_that_checks_nothing_fails(page):
    for args in (["proof", "--key", "A", "--key", "B"], ["proof", "--key", "A"], ["export"], ["proof", page], [],
                 ["proof", page, "--key"], ["other", page, "--key", "A"], ["proof", page, "--key", "A", page, "B"]):
        ended = subprocess.run([sys.executable, verify.__file__] + args, capture_output=True, timeout=60)
        assert ended.returncode == 1 and not ended.stdout and b"--key VKEY" in ended.stderr, (args, ended)


def the_fields_are_those_of(proto):
    """verify.py's table of messages is that of the proto files: a field that is added there is refused until it is known."""
    letters = {"uint32": "i", "uint64": "u", "bool": "i", "string": "s", "bytes": "b"}
    enums = {name: max(map(int, re.findall(r"= (\d+);", body)))
             for name, body in re.findall(r"^enum (\w+) \{\n(.*?)^\}", proto, re.M | re.S)}
    stated, most = {}, {}
    for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", proto, re.M | re.S):
        fields = re.findall(r"^ +(repeated )?(\w+) \w+ = (\d+);", body, re.M)
        found = {int(number): ("i" if kind in enums else letters.get(kind, kind)) + "*" * bool(repeated)
                 for repeated, kind, number in fields}
        stated[name] = [found.get(number, "-") for number in range(1, max(found) + 1)]
        most.update({(name, int(number)): enums.get(kind, 1) for _, kind, number in fields if kind in enums or kind == "bool"})
    inside, found = {}, ["Entry"]
    while found:
        name = found.pop()
        inside[name] = stated[name]
        found += [kind.rstrip("*") for kind in inside[name] if kind.rstrip("*") in stated]
    known = {name: [kind + many for kind, _, many, _ in fields[1:]] for name, fields in verify.MESSAGES.items()}
    assert known == inside, inside
    for (name, number), limit in most.items():
        assert name not in known or verify.MESSAGES[name][number][1] == str(limit), (name, number, limit)
    return sum(kind != "-" for kinds in inside.values() for kind in kinds)


def main():
    page, *protos = sys.argv[1:]
    block = examples.blocks(page)
    keys = verify.Keys((origin, examples.key_of_seed(origin, seed)) for origin, seed in SEEDS.items())
    fields = the_fields_are_those_of("".join(verify.read(proto).decode() for proto in protos))
    bad = what_is_written_against_the_rules_is_refused(block, keys[OURS], keys)
    answers_are_told_apart(block, keys[OURS], keys)
    a_log_is_no_witness_of_itself(block, keys)
    notes_that_are_none_are_refused(block, keys)
    a_call_that_checks_nothing_fails(page)
    print("   %d fields as in the proto files; %d entries against the rules refused; receipt and refusal told apart" % (fields, bad))


if __name__ == "__main__":
    main()
