// Acknowledgements of anything: well formed, short, and MSA-2 is MSH-10. The first line of the input is the text.
#include "check.hpp"
#include "radscheduler/ack.hpp"
#include "radscheduler/ack_mode.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/value.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

constexpr std::size_t kLongControlId = 400;
constexpr std::array kCodes = {AckCode::accept,        AckCode::error,        AckCode::reject,
                               AckCode::commit_accept, AckCode::commit_error, AckCode::commit_reject};
constexpr std::array<std::string_view, 6> kCodeNames = {"AA", "AE", "AR", "CA", "CE", "CR"};

std::string without_framing(std::string_view raw) {
    std::string text(raw);
    std::erase_if(text, [](char c) { return c == '\x0B' || c == '\x1C'; });
    return text;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t line = std::min(input.find('\n'), input.size());
    const std::string text(input.substr(0, line));
    if (!is_valid_utf8(text)) return 0;

    AckRequest request;
    request.code = kCodes[size % kCodes.size()];
    request.control_id = "R1";
    request.timestamp = "20260101120000";
    request.text = text;
    for (const char* path : {"SCH-11.4", "AIP[2]-3[1].1", "AIS[1]", ""}) {
        request.issues.push_back({size % 2 == 0 ? "101" : text, path, Severity::warning, text, text});
    }

    const Result<std::string> canonical = normalize(input.substr(line));
    const Result<Message> message = canonical ? Message::open(*canonical) : Result<Message>(canonical.error());
    std::string control_id;
    if (message) {
        request.original = &*message;
        control_id = without_framing(header_field(*message, 10));
    }
    request.message_code = size % 3 == 0 ? "SRR" : "ACK";
    const std::string ack = build_ack(request);
    FUZZ_CHECK(ack.ends_with('\r'));
    FUZZ_CHECK(ack.size() <= kMaxAckBytes || control_id.size() > kLongControlId);
    FUZZ_CHECK(ack.find('\x1C') == std::string::npos && ack.find('\x0B') == std::string::npos);
    const Result<Message> answer = Message::open(ack);
    FUZZ_CHECK(answer);
    FUZZ_CHECK(get_raw(*answer, *Path::parse("MSA-2")).raw == control_id);
    FUZZ_CHECK(get(*answer, *Path::parse("MSA-1")).raw == kCodeNames[size % kCodeNames.size()]);

    // A segment of a response says in the sender's delimiters what it said in the usual ones.
    request.segments = {"NTE|1||" + escape(text, Delimiters()) + "|x^y~z"};
    const std::string response = build_ack(request);
    const Result<Message> whole = Message::open(response);
    FUZZ_CHECK(whole);
    const Delimiters& written = whole->delimiters();
    if (written.escape != '\0' && written.subcomponent != '\0' && text.find('\0') == std::string::npos) {
        FUZZ_CHECK(get_text(*whole, *Path::parse("NTE-3")).value_or("") == text);
        FUZZ_CHECK(get_text(*whole, *Path::parse("NTE-4[1].2")) == "y");
    }

    if (!message) return 0;
    const AckDue due = ack_due(*message, request.code);
    FUZZ_CHECK(!due.accept || *due.accept >= AckCode::commit_accept);
    FUZZ_CHECK(!due.application || *due.application < AckCode::commit_accept);
    FUZZ_CHECK(!due.application || !due.accept || *due.accept == AckCode::commit_accept);
    FUZZ_CHECK(due.warnings.size() <= 2);
    return 0;
}
