"""Reads the examples of docs/FORMATS.md with verify.py: the page and the verifier mean the same."""
import base64, re, sys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import verify


def unhex(body):
    """Hex with blanks, comments, and text between quotation marks."""
    data = b""
    for text, digits in re.findall(r'"([^"]*)"|([0-9a-f]{2})', re.sub(r"#.*", "", body)):
        data += bytes.fromhex(digits) if digits else text.replace("\\n", "\n").replace("\\0", "\0").encode()
    return data


def blocks(page):
    """The examples of the page by name, as bytes."""
    found = re.findall(r"^```(text|hex) (\S+)\n(.*?)^```$", verify.read(page).decode(), re.M | re.S)
    return {name: body.encode() if kind == "text" else unhex(body) for kind, name, body in found}


def key_of_seed(name, seed):
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    key_id = verify.sha(name.encode(), b"\n\x01", public)[:4].hex()
    return verify.Key("%s+%s+%s" % (name, key_id, base64.b64encode(b"\x01" + public).decode()))


def no_byte_of_the_receipt_can_be_changed(leaf, ours, keys):
    """A log's own key would sign anything: what stands in field 17 is the partner's word, and checked as that."""
    start = leaf.index(b"\x8a\x01")
    for at in range(start, len(leaf)):
        for bit in range(8):
            changed = leaf[:at] + bytes([leaf[at] ^ 1 << bit]) + leaf[at + 1:]
            try:
                believed = verify.check_entry(changed, ours, keys)
            except (ValueError, IndexError):
                continue
            assert not believed, "bit %d of byte %d" % (bit, at)


def main():
    [page] = sys.argv[1:]
    block = blocks(page)
    ours, theirs = verify.Key(block["vkey"].decode()), key_of_seed("520624.yichuan/log/1", b"\x09" * 32)
    assert ours.public == key_of_seed(ours.name, b"\x07" * 32).public
    keys = verify.Keys({ours.name: ours, theirs.name: theirs})
    leaves = [b"entry %d" % number for number in range(3)]
    levels = verify.subtrees(leaves)
    _, size, root, cosigned = verify.check_note(block["checkpoint"], keys)
    assert (size, root, cosigned) == (3, verify.root_at(levels, 3).hex(), "nobody")
    assert verify.check_note(block["cosigned-checkpoint"], keys)[3] == "520624.yichuan"
    path = block["inclusion-proof"]
    verify.check_inclusion(leaves[1], 1, 3, [path[:32], path[32:]], bytes.fromhex(root))
    said = verify.check_proof(block["tlog-proof"], keys)
    assert said.startswith("entry 1 of 530102.yichuan/log/1, tree of 2, cosigned by 520624.yichuan"), said
    entries = [name for name in block if name.startswith("leaf-")]
    assert {"leaf-policy-changed", "leaf-receipt-logged"} <= set(entries)
    answers = {name: answer for name in entries if (answer := verify.check_entry(block[name], ours, keys))}
    assert list(answers) == ["leaf-receipt-logged"]
    what, index, sent, trees = answers["leaf-receipt-logged"]
    assert (what, index, sent) == ("receipt", 1, block["leaf-dispatch-sent"])
    assert trees == 2 * ([2, verify.root_at(verify.subtrees([block["leaf-log-started"], sent]), 2)],)
    no_byte_of_the_receipt_can_be_changed(block["leaf-receipt-logged"], ours, keys)
    print("   key, checkpoints, cosignature, proofs and receipt of the page: as it says")


if __name__ == "__main__":
    main()
