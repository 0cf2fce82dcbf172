"""Checks notes, proofs, receipts and exports of exchange logs. Written from docs/FORMATS.md, to show that one can.

verify.py note FILE... --key VKEY...    checkpoints, with their cosignatures
verify.py proof FILE... --key VKEY...   tlog-proofs with an entry in them, and what the entry keeps of a partner's log
verify.py export DIR --key VKEY...      a tlog-tiles directory of the first key's log; with partners' keys, the same

Trusts the keys given and nothing else. Exit code 0: all of it holds. 1: it does not; why is on stderr."""
import base64, functools, hashlib, os, pathlib, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
def need(holds, why="an entry is written against the rules"):
    if not holds:
        raise ValueError(why)
def unbase64(text):
    data = base64.b64decode(text)
    need(base64.b64encode(data).decode() == text, "no base64, or in another spelling: %.40s" % text)
    return data
# Trees, RFC 6962: hashes, inclusion proofs, all perfect subtrees over a list of leaves, and roots at any size.
def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()
def climb(hash, index, size, path):
    need(index < size and bool(path) == (size > 1), "the inclusion proof is not as long as the tree is high")
    if size == 1:
        return hash
    left = 1 << (size - 1).bit_length() - 1  # leaves in the left subtree
    if index < left:
        return sha(b"\1", climb(hash, index, left, path[:-1]), path[-1])
    return sha(b"\1", path[-1], climb(hash, index - left, size - left, path[:-1]))
def check_inclusion(leaf, index, size, path, root):
    need(climb(sha(b"\0", leaf), index, size, path) == root, "the inclusion proof does not lead to the signed root")
def subtrees(leaves):
    levels = [[sha(b"\0", leaf) for leaf in leaves]]
    while len(levels[-1]) > 1:
        levels.append([sha(b"\1", *pair) for pair in zip(levels[-1][::2], levels[-1][1::2])])
    return levels
def root_at(levels, size):
    peaks = [levels[k][(size >> k) - 1] for k in range(size.bit_length()) if size >> k & 1]  # the smallest first
    return functools.reduce(lambda right, left: sha(b"\1", left, right), peaks) if peaks else sha()
# Keys and notes: C2SP signed-note, tlog-checkpoint, tlog-cosignature.
COSIGNED = "cosignature/v1\ntime %d\n%s"
class Key:
    def __init__(self, vkey):
        vkey = read(vkey).decode() if os.path.exists(vkey) else vkey  # a file, or the text
        self.name, claimed, key = vkey.strip().split("+", 2)
        self.owner, self.public = self.name.split("/")[0], unbase64(key)[1:]  # as owner, 520624.yichuan, it cosigns
        need(unbase64(key)[0] == 1 and claimed == self.id(self.name, 1).hex(), "no Ed25519 verifier key: " + vkey)
    def id(self, name, kind):
        return sha(name.encode(), b"\n", bytes([kind]), self.public)[:4]
    def check(self, text, signature, what):
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            raise ValueError("the %s is not signed with the key of %s" % (what, self.name)) from None
class Keys(dict):
    def __missing__(self, origin):
        raise ValueError("no key was given for " + origin)
def body(origin, size, root):
    return "%s\n%d\n%s\n" % (origin, size, base64.b64encode(root).decode())
def check_note(note, keys):  # origin, size and root of a checkpoint, and who cosigned it
    need(len(note) <= 4096 and all(byte >= 32 or byte == 10 for byte in note), "the note is too long or no text")
    text, _, lines = note.decode().rpartition("\n\n")
    text, lines, signers = text + "\n", lines.split("\n"), []
    need(lines.pop() == "" and 1 <= len(lines) <= 16, "the note is not signed, or by too many")
    origin, size, root = text.split("\n")[:3]
    need(size.isdigit() and text == body(origin, int(size), unbase64(root)), "the note is no checkpoint")
    for dash, name, data in (line.split(" ") for line in lines):
        data = unbase64(data)
        need(dash == "—" and len(data) > 4, "a signature line is malformed")
        for key in keys.values():
            if (name, data[:4]) == (key.name, key.id(name, 1)):
                key.check(text, data[4:], "checkpoint")
                signers.append(name)
            elif (name, data[:4]) == (key.owner, key.id(name, 4)) and key.name != origin:  # nobody vouches for itself
                key.check(COSIGNED % (int.from_bytes(data[4:12], "big"), text), data[12:], "cosignature")
                signers.append(name)
    need(keys[origin].name in signers, "the checkpoint is not signed with the key of " + origin)
    return origin, int(size), unbase64(root).hex(), " ".join(set(signers) - {origin}) or "nobody"
# Entries, by the rules of FORMATS.md. Each message's fields from 1 on, as record.proto numbers them: u is a number of 64 bits,
# i of 32, t true, s text, b bytes, - nothing, else it is a message; with * there may be many.
MESSAGES = {name: kinds for name, *kinds in map(str.split, """
    Entry i u b s i s - - - LogStarted PolicyChanged PartnerProposed PartnerApproved DispatchSent DispatchReceived DispatchRefused
    ReceiptLogged RefusalLogged Consulted EvidenceKept ReferralDrafted ReferralApproved RecordAssigned QuotaReached; Terms i i i;
    LogStarted s s s; PolicyChanged s* Unit*; Unit s s*; PartnerProposed b; PartnerApproved s b; QuotaReached s i i i i t;
    DispatchSent b s s i b i i Terms i b* b i b; DispatchReceived b u b Checkpoint; DispatchRefused b u b Checkpoint i;
    PartnerProof b u b Checkpoint u b u b; ReceiptLogged s b u PartnerProof; RefusalLogged s b u i PartnerProof; Consulted i b* t;
    EvidenceKept s Checkpoint Checkpoint s; ReferralDrafted DispatchSent; ReferralApproved b b; RecordAssigned b s;
    Checkpoint s u b b""".split(";"))}
MOST = {"u": 1 << 64, "i": 1 << 32, "t": 2}
def varint(data):
    end = next((at for at, byte in enumerate(data[:10]) if byte < 128), len(data))
    need(end < len(data) and (data[end] or end == 0))  # it ends, and nowhere sooner
    return sum((byte & 127) << 7 * at for at, byte in enumerate(data[:end + 1])), data[end + 1:]
def message(name, data):  # what stands in it, by number
    found, kinds = {}, dict(enumerate(MESSAGES[name], 1))
    while data:
        tag, data = varint(data)
        number, (value, data) = tag >> 3, varint(data)
        kind, *many = kinds.get(number, "-").split("*")
        need(kind != "-" and tag & 7 == 2 * (kind not in MOST) and number > max(found, default=0) - len(many))
        need((value or many or kind in MESSAGES) and value < MOST.get(kind, len(data) + 1))  # a message may be empty
        if kind not in MOST:
            value, data = {"b": bytes, "s": bytes.decode}.get(kind, functools.partial(message, kind))(data[:value]), data[value:]
        found[number] = found.get(number, []) + [value] if many else value
    return found
def entry(leaf):
    need(leaf[:2] == b"\x08\1" and len(leaf) < 65536, "the entry is of another version, or too long")
    need(len((found := message("Entry", leaf)).keys() - range(10)) == 1)  # one kind
    return found
def check_included(holder, keys):  # fields 1 to 4: a leaf, its index, its proof, a Checkpoint
    leaf, index, path, parts = holder.get(1, b""), holder.get(2, 0), holder.get(3, b""), holder.get(4, {})
    key, size, root = keys[parts.get(1, "")], parts.get(2, 0), parts.get(3, b"")
    key.check(body(key.name, size, root), parts.get(4, b""), "checkpoint in an entry")
    if leaf:  # one over the limit is refused by its index alone
        check_inclusion(leaf, index, size, [path[i:i + 32] for i in range(0, len(path), 32)], root)
    return key, index, leaf
def is_dispatch(leaf, sender, recipient, dispatch_id=None):
    sent = entry(leaf).get(14, {})
    return (sent.get(2), sent.get(3)) == (sender.name[:6], recipient.name[:6]) and dispatch_id in (None, sent.get(1))
def check_entry(leaf, own, keys):  # of an answer: which it is, index and leaf of our dispatch, our tree cosigned
    found = entry(leaf)
    for kind in {15, 16} & set(found):  # dispatch_received, dispatch_refused
        sender, _, sent = check_included(found[kind], keys)
        need(kind == 16 or is_dispatch(sent, sender, own), "what was received is no dispatch from that sender to here")
    for kind in {17, 18} & set(found):  # receipt_logged keeps the partner's 15, refusal_logged its 16
        return check_answer(found[kind], kind - 2, own, keys)
def check_answer(answer, kind, own, keys):
    proof = answer.get(kind - 11, {})  # field 4 of a ReceiptLogged, 5 of a RefusalLogged
    partner, _, leaf = check_included(proof, keys)
    received = (theirs := entry(leaf)).get(kind, {})
    sender, index, ours = check_included(received, keys)
    need(theirs.get(4) == "spiffe://%s/node" % partner.owner and answer.get(1) == partner.name[:6]
         and (kind == 15 or received.get(5, 0) == answer.get(4)), "the partner's entry is not this answer")
    need(sender is own and index == answer.get(3, 0) and (ours or kind == 16), "the answer is to something else")
    need(not ours or is_dispatch(ours, own, partner, answer.get(2, b"")), "the answer is to another dispatch")
    size, root = proof.get(7, 0), proof.get(8, b"")
    need(size > index, "the tree that was cosigned does not have the dispatch")
    partner.check(COSIGNED % (proof.get(5, 0), body(own.name, size, root)), proof.get(6, b""), "cosignature")
    return "receipt" if kind == 15 else "refusal", index, ours, size, root
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
    own, answers = next(iter(keys.values())), {"receipt": 0, "refusal": 0}
    for number, leaf in enumerate(leaves):
        try:
            if answer := check_entry(leaf, own, keys):
                what, index, ours, size, root = answer
                need(size <= number and root_at(levels, size) == root, "the partner cosigned another log")
                need(ours in (b"", leaves[index]), "the answer is not to our entry %d" % index)
                answers[what] += 1
        except (ValueError, IndexError) as why:
            raise ValueError("entry %d: %s" % (number, why)) from None
    return answers["receipt"], answers["refusal"]
def check_export(folder, keys):
    (origin, size, root, _), leaves, expected = check_note(read(folder, "checkpoint"), keys), [], set()
    need(origin == next(iter(keys)), "the export is of %s, which is not the first key's log" % origin)
    def tile(kind, row, first):
        width, number = min(256, row - first), first // 256
        groups = ["x%03d/" % (number // 1000**k % 1000) for k in (3, 2, 1) if number >= 1000**k]
        path = "tile/%s/%s%03d%s" % (kind, "".join(groups), number % 1000, "" if width == 256 else ".p/%d" % width)
        expected.add(path)
        return path, width, read(folder, path)
    for first in range(0, size, 256):
        (path, width, data), at = tile("entries", size, first), 0
        for _ in range(width):
            start, at = at + 2, at + 2 + int.from_bytes(data[at:at + 2], "big")
            leaves.append(data[start:at])
        need(at == len(data), path + " is not as long as its entries")
    for level, row in enumerate((levels := subtrees(leaves))[::8]):
        for first in range(0, len(row), 256):
            path, width, data = tile(level, len(row), first)
            need(data == b"".join(row[first:first + width]), path + " does not fit the entries")
    need(root_at(levels, size).hex() == root, "the entries are not the log that was signed")
    found = {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}
    need(found == expected | {"checkpoint"}, "no part of a log of %d entries: %s" % (size, found - expected))
    answers = "%d receipts, %d refusals" % check_leaves(leaves, levels, keys) if len(keys) > 1 else "answers unread"
    return "%s, %d entries, root %s, %s" % (origin, size, root, answers)
if __name__ == "__main__":
    first, path = (sys.argv + ["--key"]).index("--key"), ""
    paths, flags, given = sys.argv[2:first], sys.argv[first::2], sys.argv[first + 1::2]
    check = {"note": lambda path, keys: "%s, %d entries, root %s, cosigned by %s" % check_note(read(path), keys),
             "proof": lambda path, keys: check_proof(read(path), keys), "export": check_export}.get(sys.argv[1] if paths else "")
    if not check or set(flags) != {"--key"} or len(flags) != len(given):
        sys.exit(__doc__)  # with nothing to check, nothing holds
    try:
        keys = Keys((key.name, key) for key in map(Key, given))
        for path in paths:
            print("ok: %s: %s" % (path, check(path, keys)))
    except (ValueError, IndexError, OSError) as why:
        sys.exit("refused: %s: %s" % (path, why))
