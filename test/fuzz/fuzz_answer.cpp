// What receivers of links answer: whatever the bytes, the verdict is one of four, and a note holds nothing but codes
// and places.
#include "check.hpp"
#include "link/answer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace radscheduler::sidecar::link;

namespace {

const std::vector<std::string> accepted{"AA", "CA"};

bool is_plain(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '^' || c == '&';
}

void check_note(const Verdict& verdict) {
    const bool is_sentence = verdict.note.rfind("the answer ", 0) == 0;
    const std::string unknown = "an unknown code in MSA-1";
    auto note = verdict.note;
    if (note.rfind(unknown, 0) == 0) {
        note.erase(0, unknown.size());
    }
    FUZZ_CHECK(note.size() <= 80);
    for (const char c : is_sentence ? std::string() : note) {
        FUZZ_CHECK(is_plain(c));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto verdict = judge(bytes, "RST7", accepted);
    check_note(verdict);
    // The same bytes as a message of ours: an acknowledgement made for it is taken for it.
    const auto control_id = control_id_of(bytes);
    asks_for_answer(bytes);
    // (Not with control characters in it, which neither MLLP nor a segment carries.)
    const bool is_carried = std::all_of(control_id.begin(), control_id.end(),
                                        [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '|'; });
    if (!control_id.empty() && is_carried) {
        const auto own =
            judge("MSH|^~\\&|A|B|C|D|20310101||ACK|1|P|2.5\rMSA|AA|" + control_id + "\r", control_id, accepted);
        FUZZ_CHECK(own.kind == Verdict::Kind::accepted);
    }
    return 0;
}
