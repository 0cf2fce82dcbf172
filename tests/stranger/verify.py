"""Checks notes, proofs, receipts and exports of exchange logs. Written from docs/FORMATS.md, to show that one can.
verify.py note FILE... --key VKEY...    checkpoints, with their cosignatures
verify.py proof FILE... --key VKEY...   tlog-proofs with an entry in them, and what the entry keeps of a partner's log
verify.py export DIR --key VKEY...      a tlog-tiles directory of the first key's log; with partners' keys, the same
Trusts the keys given and nothing else. Exit code 0: all of it holds. 1: it does not; why is on stderr."""
import base64, functools, hashlib, os, pathlib, re, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
def need(holds, why="an entry is written against the rules"):
    if not holds: raise ValueError(why)
def unbase64(text):
    need(base64.b64encode(data := base64.b64decode(text)).decode() == text, "no base64, or in another spelling: %.40s" % text)
    return data
# Trees, RFC 6962: hashes, inclusion proofs, all perfect subtrees over a list of leaves, and roots at any size.
def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()
def check_inclusion(leaf, index, size, path, root):
    hash, inner = sha(b"\0", leaf), (index ^ size - 1).bit_length()  # above so many levels all siblings are to the left
    need(index < size < 1 << 64 and len(path) == inner + bin(index >> inner).count("1"), "the inclusion proof has another length")
    for level, sibling in enumerate(path):
        hash = sha(b"\1", sibling, hash) if level >= inner or index >> level & 1 else sha(b"\1", hash, sibling)
    need(hash == root, "the inclusion proof does not lead to the signed root")
def subtrees(leaves):
    levels = [[sha(b"\0", leaf) for leaf in leaves]]
    while len(levels[-1]) > 1: levels.append([sha(b"\1", *pair) for pair in zip(levels[-1][::2], levels[-1][1::2])])
    return levels
def root_at(levels, size):
    peaks = [levels[k][(size >> k) - 1] for k in range(size.bit_length()) if size >> k & 1]  # the smallest first
    return functools.reduce(lambda right, left: sha(b"\1", left, right), peaks) if peaks else sha()
# Keys and notes: C2SP signed-note, tlog-checkpoint, tlog-cosignature.
COSIGNED, CODE = "cosignature/v1\ntime %d\n%s", "(?:1[1-9]|[2-7][0-9]|8[0-2])[0-9]{4}"
class Key:
    def __init__(self, vkey):
        self.text = (read(vkey).decode() if os.path.exists(vkey) else vkey).strip()  # a file, or the text
        self.name, claimed, key = self.text.split("+", 2)
        self.code, self.owner, self.public = self.name[:6], self.name.split("/")[0], unbase64(key)[1:]  # as owner it cosigns
        need(unbase64(key)[0] == 1 and claimed == self.id(self.name, 1).hex(), "no Ed25519 verifier key: " + vkey)
    def id(self, name, kind):
        return sha(name.encode(), b"\n", bytes([kind]), self.public)[:4]
    def check(self, text, signature, what):
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            raise ValueError("the %s is not signed with the key of %s" % (what, self.name)) from None
class Keys(dict):
    __missing__ = lambda self, origin: need(False, "no key was given for " + origin)
def body(origin, size, root):
    return "%s\n%d\n%s\n" % (origin, size, base64.b64encode(root).decode())
def check_note(note, keys):  # origin, size and root of a checkpoint, and who cosigned it
    text, _, lines = note.decode().rpartition("\n\n")
    text, lines, signers = text + "\n", lines.split("\n"), set()
    need(len(note) <= 4096 and lines.pop() == "" and 1 <= len(lines) <= 16, "the note is too long, not signed, or by too many")
    origin, size, root = text.split("\n")[:3]
    need(int(size) < 1 << 64 and text == body(origin, int(size), unbase64(root)), "the note is no checkpoint")
    for dash, name, data in (line.split(" ") for line in lines):
        data = unbase64(data)
        need(dash == "—" and re.fullmatch(r"[^\s+\0-\x1f\x7f-\x9f]+", name) and len(data) > 4, "a signature line is malformed")
        for key in keys.values():
            if (name, data[:4]) == (origin, key.id(name, 1)) and key.name == origin:
                key.check(text, data[4:], "checkpoint")
                signers.add(name)
            elif (name, data[:4]) == (key.owner, key.id(name, 4)) and key.code != origin[:6]:  # nobody vouches for itself
                key.check(COSIGNED % (int.from_bytes(data[4:12], "big"), text), data[12:], "cosignature")
                signers.add(name)
    need(keys[origin].name in signers, "the checkpoint is not signed with the key of " + origin)
    return origin, int(size), unbase64(root).hex(), " ".join(sorted(signers - {origin})) or "nobody"
# Entries, by the rules of FORMATS.md. Each message's fields from 1 on, as entry.proto numbers them: u is a number of 64 bits,
# i of 32, s text, b bytes, - nothing, else a message; 5 is the most of a number, or the length of bytes; * many, ! stated.
FIELD, MOST = re.compile("([A-Za-z-]+)([0-9]*)([*]?)(!?)"), {"u": 2**64 - 1, "i": 2**32 - 1}
MESSAGES = {name: [FIELD.fullmatch(field).groups() for field in ["-"] + fields] for name, *fields in map(str.split, """
Entry i1! u b16! s! i5 s - - - LogStarted PolicyChanged PartnerProposed PartnerApproved DispatchSent DispatchReceived
DispatchRefused ReceiptLogged RefusalLogged Consulted EvidenceKept ReferralDrafted ReferralApproved RecordAssigned QuotaReached
- - - - AttemptRefused PartnerSuspended PartnerChangeDrafted PartnerResumed PartnerRemoved;
LogStarted s! s! s!; PolicyChanged s* Unit*; Unit s! s*; PartnerProposed b; PartnerApproved s! b32! AbandonedLog; AbandonedLog s! u b32!;
PartnerSuspended s!; PartnerChangeDrafted s! i2!; PartnerResumed s! b32!; PartnerRemoved s! b32!; Terms i! i i219912!;
DispatchSent b16! s! s! i40! b16! i3! i4! Terms! i5 b32* b32! i262144! b32!; DispatchReceived b u b Checkpoint!; DispatchRefused b u
b Checkpoint! i8!; PartnerProof b! u b Checkpoint! u b64! u! b32!; ReceiptLogged s! b16! u PartnerProof!; RefusalLogged s! b16! u
i8! PartnerProof!; Consulted i5! b16* i1 u u; EvidenceKept s! Checkpoint! Checkpoint! s; ReferralDrafted DispatchSent!; ReferralApproved
b16! b32!; RecordAssigned b16! s; QuotaReached s! i10! i i i i1; AttemptRefused s! i10! i i; Checkpoint s! u b32! b64!""".split(";"))}
PRINCIPAL = re.compile("spiffe://(%s)[.]yichuan/(?:node|(officer|supervisor|auditor|admin)/[A-Za-z0-9-]{1,16})" % CODE)
BASIS = re.compile(r"case:A\d{16}(0[1-9]|1[0-2])\d{4}|(lead|referral):[0-9a-f-]{36}|campaign:\d{6}-20\d\d-(?!00)[1-9]?\d\d", re.A)
WHO = {12: "o|s|ad", 13: "s", 14: "o|s", 19: "o|s|au", 21: "o|s", 22: "s", 23: "s", 30: "s", 31: "o|s|ad", 32: "s", 33: "s"}  # may cause it, by how the role begins
def varint(data):
    end = next((at for at, byte in enumerate(data[:10]) if byte < 128), len(data))
    need(end < len(data) and (data[end] or end == 0))  # it ends, and nowhere sooner
    return sum((byte & 127) << 7 * at for at, byte in enumerate(data[:end + 1])), data[end + 1:]
def message(name, data):  # what stands in it, by number
    found, fields = {}, MESSAGES[name]
    while data:
        tag, data = varint(data)
        number, (value, data) = tag >> 3, varint(data)
        kind, limit, many, _ = fields[number if number < len(fields) else 0]
        need(kind != "-" and tag & 7 == 2 * (kind not in MOST) and number > max(found, default=0) - len(many))
        need(value or many or kind in MESSAGES)  # a message may be empty
        need(value <= int(limit or MOST[kind]) if kind in MOST else value <= len(data) and limit in ("", str(value)))
        if kind not in MOST:
            value, data = {"b": bytes, "s": bytes.decode}.get(kind, functools.partial(message, kind))(data[:value]), data[value:]
        found[number] = found.get(number, []) + [value] if many else value
    need(all(number in found for number, field in enumerate(fields) if field[3]))
    return found
def entry(leaf, code):  # what stands in an entry of that jurisdiction's log
    found = message("Entry", leaf)
    [kind], who, grounds = found.keys() - range(10), PRINCIPAL.fullmatch(found[4]), found.keys() & {5, 6}
    need(who and re.match(WHO.get(kind, "node"), who[2] or "node") and (who[1] == code or kind == 19), "it is another's to write")
    need(len(grounds) == 2 and BASIS.fullmatch(found[6]) or not grounds and not who[2], "it is written without grounds")
    need(found.get(19, {1: 5})[1] == 5 or not found[19].keys() & {4, 5}, "entries are named where records were read")
    need(len(leaf) <= (1024 if kind == 14 else 65535) and len(found.get(19, {}).get(2, ())) <= 1000, "it is too long")
    if sent := found.get(14) or found.get(21, {}).get(1):
        need(sent[2] == code != sent[3] and sent[8][1] == (86400 if sent[6] == 1 else 28800) and 1 <= sent[8][3] % 100 <= 12
             and (9 in sent) == (sent[4] in (4, 26)) and len(sent.get(10, ())) <= 8 and sent[8][3] > 200000 and sent[12] >= 28)
    return found
def check_included(holder, keys, leaf):  # fields 2 to 4: index, proof and Checkpoint of that leaf
    index, path, parts = holder.get(2, 0), holder.get(3, b""), holder[4]
    key, size, root = keys[parts[1]], parts.get(2, 0), parts[3]
    key.check(body(key.name, size, root), parts[4], "checkpoint in an entry")
    path = [path[start:start + 32] for start in range(0, len(path), 32)]  # a leaf over the limit is refused by its index alone
    check_inclusion(leaf, index, size, path, root) if leaf else need(index < size, "the tree does not have the entry")
    return key, index, size, root
def check_entry(leaf, own, keys, leaves=()):  # of an answer: which it is, index and leaf of our dispatch, our trees in it
    found = entry(leaf, own.code)
    for kind in found.keys() & {15, 16}:  # dispatch_received, dispatch_refused
        sender, *_ = check_included(found[kind], keys, sent := found[kind].get(1, b""))
        need(sender.code != own.code and (kind == 16 or entry(sent, sender.code).get(14, {}).get(3) == own.code), "not for here")
    for kind in found.keys() & {17, 18}:  # receipt_logged keeps the partner's 15, refusal_logged its 16
        return check_answer(found[kind], kind - 2, own, keys, leaves)
def check_answer(answer, kind, own, keys, leaves):  # leaves: of our log, where it is at hand
    proof, index = answer[kind - 11], answer.get(3, 0)  # field 4 of a ReceiptLogged, 5 of a RefusalLogged
    (partner, *_), to = check_included(proof, keys, proof[1]), answer[1]
    received, ours = entry(proof[1], partner.code).get(kind), b"".join(leaves[index:index + 1])
    need(received and (kind == 15 or received[5] == answer[4]), "the partner's entry is another answer")
    sent = received.get(1, b"") or ours  # a leaf over the limit is not repeated
    sender, at, *tree = check_included(received, keys, sent)
    need(sender is own and at == index < proof[7] and to == partner.code != own.code, "the answer is to something else")
    need(not leaves or sent == ours and (received.get(1) or len(ours) > 1024), "the answer is not to our entry %d" % index)
    need(not sent and kind == 16 or [entry(sent, own.code).get(14, {}).get(n) for n in (1, 3)] == [answer[2], to], "not about it")
    partner.check(COSIGNED % (proof.get(5, 0), body(own.name, proof[7], proof[8])), proof[6], "cosignature")
    return "receipt" if kind == 15 else "refusal", index, sent, ([proof[7], proof[8]], tree)
# Proofs, logs and exports.
def read(*path):
    return pathlib.Path(*path).read_bytes()
def check_proof(text, keys):
    head, _, note = text.partition(b"\n\n")
    magic, extra, index, *path = head.decode().split("\n")
    number, leaf = int(index[6:]), unbase64(extra[6:])
    need((magic, extra[:6], index) == ("c2sp.org/tlog-proof@v1", "extra ", "index %d" % number), "no proof of an entry")
    origin, size, root, cosigned = check_note(note, keys)
    check_inclusion(leaf, number, size, [unbase64(line) for line in path], bytes.fromhex(root))
    answer = ", keeps a %s of entry %d" % answer[:2] if (answer := check_entry(leaf, keys[origin], keys)) else ""
    return "entry %d of %s, tree of %d, cosigned by %s%s" % (number, origin, size, cosigned, answer)
def check_leaves(leaves, levels, keys):  # of the first key's log; counts the answers in it
    own, time, answered = next(iter(keys.values())), 0, {}
    for number, leaf in enumerate(leaves):
        try:
            found, before = entry(leaf, own.code), time
            time, started = found.get(2, 0), None if number else {1: own.name, 2: own.text, 3: own.code}
            need(before <= time and found.get(10) == started, "the clock goes back, or log_started is not what a log starts with")
            what, index, _, trees = check_entry(leaf, own, keys, leaves) or ("", ~number, b"", ())  # most are none
            need(all(size <= number and root_at(levels, size) == root for size, root in trees), "a tree in it is another log's")
            need(index not in answered, "it answers entry %d a second time" % index)
            answered[index] = what
        except (ValueError, IndexError) as why:
            raise ValueError("entry %d: %s" % (number, why)) from None
    return tuple(list(answered.values()).count(what) for what in ("receipt", "refusal"))
def check_export(folder, keys):
    (origin, size, root, _), leaves, expected = check_note(read(folder, "checkpoint"), keys), [], set()
    need(origin == next(iter(keys)), "the export is of %s, which is not the first key's log" % origin)
    def tiles(kind, row):  # of a row so long: where each begins, its width, path and content
        for first in range(0, row, 256):
            number, width = first // 256, min(256, row - first)
            groups = "".join("x%03d/" % (number // 1000**k % 1000) for k in (3, 2, 1) if number >= 1000**k)
            path = "tile/%s/%s%03d%s" % (kind, groups, number % 1000, "" if width == 256 else ".p/%d" % width)
            expected.add(path)
            yield first, width, path, read(folder, path)
    for _, width, path, data in tiles("entries", size):
        at = 0
        for _ in range(width):
            start, at = at + 2, at + 2 + int.from_bytes(data[at:at + 2], "big")
            leaves.append(data[start:at])
        need(at == len(data), path + " is not as long as its entries")
    for level, row in enumerate((levels := subtrees(leaves))[::8]):
        for first, width, path, data in tiles(level, len(row)):
            need(data == b"".join(row[first:first + width]), path + " does not fit the entries")
    need(root_at(levels, size).hex() == root, "the entries are not the log that was signed")
    found = {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder + "/tile") for name in names}
    need(found == expected, "no part of a log of %d entries: %s" % (size, found - expected))
    answers = "%d receipts, %d refusals" % check_leaves(leaves, levels, keys) if len(keys) > 1 else "answers unread"
    return "%s, %d entries, root %s, %s" % (origin, size, root, answers)
if __name__ == "__main__":
    first, path = (sys.argv + ["--key"]).index("--key"), ""
    paths, given = sys.argv[2:first], sys.argv[first + 1::2]
    check = {"note": lambda path, keys: "%s, %d entries, root %s, cosigned by %s" % check_note(read(path), keys),
             "proof": lambda path, keys: check_proof(read(path), keys), "export": check_export}.get(sys.argv[1] if paths else "")
    if not check or not given or sys.argv[first::2] != ["--key"] * len(given): sys.exit(__doc__)  # with nothing to check, nothing holds
    try:
        keys = Keys((key.name, key) for key in map(Key, given))
        for path in paths:
            print("ok: %s: %s" % (path, check(path, keys)))
    except (ValueError, IndexError, OSError) as why:
        sys.exit("refused: %s: %s" % (path, why))
