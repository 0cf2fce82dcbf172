"""Writes an export of 70,000 short entries, as docs/FORMATS.md has it, under a key of its own: large.py NEW-DIR.

For verify.py to read, and for the program: that both find it in order, and how long the one takes."""
import base64, os, sys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import verify

ORIGIN, ENTRIES = "520624.yichuan/log/1", 70_000


def write(data, *path):
    path = os.path.join(*path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def name(number, width):
    # There are fewer than a thousand tiles.
    return "%03d" % number if width == 256 else "%03d.p/%d" % (number, width)


def main():
    [folder] = sys.argv[1:]
    leaves = [b"entry %d" % number for number in range(ENTRIES)]
    levels = verify.subtrees(leaves)
    for first in range(0, ENTRIES, 256):
        some = leaves[first:first + 256]
        write(b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in some), folder, "tile/entries", name(first // 256, len(some)))
    for level, row in enumerate(levels[::8]):
        for first in range(0, len(row), 256):
            some = row[first:first + 256]
            write(b"".join(some), folder, "tile/%d" % level, name(first // 256, len(some)))
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    key_id = verify.sha(ORIGIN.encode(), b"\n\x01", public)[:4]
    text = verify.body(ORIGIN, ENTRIES, verify.root_at(levels, ENTRIES))
    signature = base64.b64encode(key_id + key.sign(text.encode())).decode()
    write(("%s\n— %s %s\n" % (text, ORIGIN, signature)).encode(), folder, "checkpoint")
    print("%s+%s+%s" % (ORIGIN, key_id.hex(), base64.b64encode(b"\x01" + public).decode()))


if __name__ == "__main__":
    main()
