"""A stranger's client: Python's gRPC with a client certificate and server reflection. No proto file, no generated code, and
nothing of this project but verify.py beside it, which was written by strangers too.

client.py COUNTY PROVINCE   two nodes' directories, each with `address`, `vkey` and `certs/`, of 520624 and 440000

As an officer of the county it pushes leads; as one of the province it finds them in the inbox and signs for one; back in
the county it finds that one by its subject's number; as an auditor it replays the log and verifies it with verify.py.
Exit code 0: all of it went as it should. Every call and every wait has a deadline."""
import base64, os, sys, time
import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
import verify

DEADLINE = 30  # seconds, for a call and for a wait
CAMPAIGN = "campaign:520624-2026-01"
LEAD = 1  # of RecordFamily


class Node:
    """A node, as one person with a certificate sees it."""

    def __init__(self, folder, person):
        self.folder, self.jurisdiction = folder, verify.Key(os.path.join(folder, "vkey")).name[:6]
        certs = os.path.join(folder, "certs")
        credentials = grpc.ssl_channel_credentials(
            verify.read(certs, "ca.pem"), verify.read(certs, person + ".key"), verify.read(certs, person + ".pem"))
        # The certificate names the jurisdiction, not the machine.
        options = [("grpc.ssl_target_name_override", self.jurisdiction + ".yichuan")]
        self.channel = grpc.secure_channel(verify.read(folder, "address").decode().strip(), credentials, options)
        grpc.channel_ready_future(self.channel).result(timeout=DEADLINE)
        self.reflected = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.reflected)

    def message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName("yichuan.v1." + name))

    def value(self, enum, name):
        return self.pool.FindEnumTypeByName("yichuan.v1." + enum).values_by_name[name].number

    def grounds(self, purpose, basis=CAMPAIGN):
        return self.message("Grounds")(purpose=self.value("Purpose", "PURPOSE_" + purpose), basis=basis)

    def call(self, service, method, *requests):
        """Calls a method with plain dictionaries, whatever way it streams; the answer, or the list of answers."""
        found = self.pool.FindServiceByName("yichuan.v1." + service).methods_by_name[method]
        kind = ("stream" if found.client_streaming else "unary") + "_" + ("stream" if found.server_streaming else "unary")
        stub = getattr(self.channel, kind)(
            "/yichuan.v1.%s/%s" % (service, method),
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(found.output_type).FromString)
        build = message_factory.GetMessageClass(found.input_type)
        built = [build(**request) for request in requests]
        answer = stub(iter(built) if found.client_streaming else built[0], timeout=DEADLINE)
        return list(answer) if found.server_streaming else answer


def resident_number(sequence):
    """Of nobody: born on the first of May, 1905. GB 11643."""
    digits = "52062419050501%03d" % sequence
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(digits))
    return digits + "10X98765432"[total % 11]


def lead(sequence, **changed):
    return dict({
        "number": "STRANGER-%03d" % sequence, "name": "测试%03d" % sequence, "sex": "M" if sequence % 2 else "F",
        "resident_number": resident_number(sequence), "registered_code": "520624", "destination_code": "440305",
        "substance": "冰毒", "conduct": "涉嫌外流贩毒", "facts": "第%d号：多次往返，随身携带可疑物品，同行人员已供述。" % sequence,
        "collection_method": "走访", "collected_on": "2026-05-06", "grade_scheme": "admiralty", "source_grade": "B",
        "information_grade": "2", "urgency": "normal", "handling": "H0"}, **changed)


def say(text):
    print("   " + text, flush=True)


def refused(code, words, call):
    """That a call is refused with this code, and says why."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code and words in error.details(), "%s: %s" % (error.code(), error.details())
        say("refused, as it should be: %s: %s" % (code.name, error.details()))
        return
    raise AssertionError("%s was expected" % code)


def delivered(node):
    """Waits until the partner has answered whatever this node sent. Only asking tells."""
    supervisor, end = Node(node.folder, "supervisor-001"), time.monotonic() + DEADLINE
    request = {"grounds": supervisor.grounds("SUPERVISION")}
    while any(partner.outbox for partner in supervisor.call("Partners", "ListPartners", request).partners):
        assert time.monotonic() < end, "the outbox of %s is not empty after %d seconds" % (node.jurisdiction, DEADLINE)
        time.sleep(0.05)


def push(officer, *leads):
    requests = [{"row": row, "content": {"lead": lead}} for row, lead in enumerate(leads, 1)]
    requests[0]["grounds"] = officer.grounds("SCREENING")
    verdicts = officer.call("Records", "PushRecords", *requests)
    assert [verdict.row for verdict in verdicts] == list(range(1, len(leads) + 1))
    names = officer.pool.FindEnumTypeByName("yichuan.v1.Verdict").values_by_number
    return verdicts, [names[verdict.verdict].name for verdict in verdicts]


def listed(officer, **filters):
    request = dict(filters, family=LEAD, grounds=officer.grounds("SCREENING"))
    return officer.call("Records", "ListRecords", request).records


def exchange(county, province):
    first, second = lead(1), lead(2)
    verdicts, names = push(county, first, lead(3, resident_number=resident_number(3)[:-1] + "#"), second)
    assert names == ["VERDICT_ACCEPT", "VERDICT_REJECT", "VERDICT_ACCEPT"], names
    reason = verdicts[1].reasons[0]
    assert reason.column == "resident_number" and reason.code and reason.message
    say("push: %s; row 2 because of %s: %s (%s)" % (", ".join(names), reason.column, reason.message, reason.code))
    again, names = push(county, first)
    assert names == ["VERDICT_DUPLICATE"] and again[0].record_id == verdicts[0].record_id
    say("push again: the same lead, entry %d" % again[0].log_index)

    delivered(county)
    inbox = listed(province, direction=province.value("Direction", "DIRECTION_RECEIVED"))
    wanted = verdicts[2].record_id
    assert [lead.record_id for lead in inbox] == [verdicts[0].record_id, wanted]
    say("inbox of %s: %d leads from %s" % (province.jurisdiction, len(inbox), inbox[0].origin))

    sign = {"grounds": province.grounds("SCREENING"), "family": LEAD,
            "record_id": wanted, "action": province.value("Action", "ACTION_LEAD_SIGN")}
    signed = province.call("Records", "ActOnRecord", sign)
    assert signed.state == province.value("RecordState", "RECORD_STATE_SIGNED_FOR")
    say("signed for: entry %d of %s's log" % (signed.log_index, province.jurisdiction))
    refused(grpc.StatusCode.FAILED_PRECONDITION, "allowed now: assess, return",
            lambda: province.call("Records", "ActOnRecord", sign))
    refused(grpc.StatusCode.PERMISSION_DENIED, "state a purpose", lambda: county.call("Records", "ListRecords", {}))
    refused(grpc.StatusCode.PERMISSION_DENIED, "officer may not read the log",
            lambda: county.call("Audit", "Replay", {"grounds": county.grounds("AUDIT")}))
    show = {"grounds": county.grounds("SCREENING"), "family": LEAD, "record_id": wanted}
    refused(grpc.StatusCode.INVALID_ARGUMENT, "record_id",
            lambda: county.call("Records", "ShowRecord", dict(show, record_id="7")))

    delivered(province)
    [by_number] = listed(county, resident_number=second["resident_number"])
    assert by_number.record_id == wanted and by_number.state == county.value("RecordState", "RECORD_STATE_SIGNED_FOR")
    assert not listed(county, resident_number=resident_number(9))
    shown = county.call("Records", "ShowRecord", show)
    assert shown.content.lead.number == second["number"] and shown.events[0].receipt.partner_origin == "440000.yichuan/log/1"
    say("query by number: that lead alone, signed for; its receipt is in entry %d" % shown.events[0].receipt.log_index)
    return wanted


def replay(auditor, keys):
    """The whole log, hashed here; every receipt in it; and one proof from the node."""
    grounds = auditor.grounds("AUDIT")
    head = auditor.call("Audit", "GetCheckpoint", {"grounds": grounds})
    origin, size, root, _ = verify.check_note(head.checkpoint, keys)
    leaves = [leaf for part in auditor.call("Audit", "Replay", {"grounds": grounds, "to": size}) for leaf in part.leaves]
    levels = verify.subtrees(leaves)
    assert len(leaves) == size and verify.root_at(levels, size).hex() == root, "the entries are not the log that was signed"
    receipts, refusals = verify.check_leaves(leaves, levels, keys)
    say("replay of %s: %d entries hash to the signed root, %d receipts of partners verified" % (origin, size, receipts))
    assert refusals == 0, refusals
    proof = auditor.call("Audit", "ProveInclusion", {"grounds": grounds, "index": size - 1, "tree_size": size})
    lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(proof.leaf).decode(), "index %d" % (size - 1)]
    lines += [base64.b64encode(hash).decode() for hash in proof.hashes]
    say("proof: " + verify.check_proof("\n".join(lines + ["", ""]).encode() + head.checkpoint, keys))
    return receipts


def reflection(node):
    """What a stranger sees first: services, and what every field means, under both names of reflection."""
    services = sorted(node.reflected.get_services())
    assert {"yichuan.v1.Records", "yichuan.v1.Audit", "grpc.health.v1.Health"} <= set(services), services
    say("services, by reflection: " + ", ".join(services))
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    # Version 1 has the messages of v1alpha.
    stub = node.channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
    answers = list(stub(iter([request]), timeout=DEADLINE))
    assert "yichuan.v1.Records" in [service.name for service in answers[0].list_services_response.service]
    files = {node.pool.FindServiceByName(service).file.name for service in services if service.startswith("yichuan.")}
    fields = undescribed = 0
    for name in files | {"yichuan/v1/common.proto", "yichuan/v1/payload.proto"}:
        file = node.reflected.FindFileByName(name)
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        paths = [(4, m, 2, f) for m, message in enumerate(file.message_type) for f in range(len(message.field))]
        paths += [(5, e, 2, v) for e, enum in enumerate(file.enum_type) for v in range(len(enum.value))]
        fields, undescribed = fields + len(paths), undescribed + sum(not comments.get(path, "").strip() for path in paths)
    assert fields > 200 and undescribed == 0, "%d of %d fields and values are not described" % (undescribed, fields)
    say("%d fields and values of enumerations, each described" % fields)


def main():
    county, province = sys.argv[1:]
    officers = Node(county, "officer-001"), Node(province, "officer-001")
    reflection(officers[0])
    wanted = exchange(*officers)
    keys = [verify.Key(os.path.join(folder, "vkey")) for folder in (county, province)]
    for folder, keys in ((county, keys), (province, keys[::-1])):
        receipts = replay(Node(folder, "auditor-001"), verify.Keys((key.name, key) for key in keys))
        assert receipts, "no receipt was found"
    print(wanted)


if __name__ == "__main__":
    main()
