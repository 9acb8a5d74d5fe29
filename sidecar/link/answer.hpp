// What a receiver's answer says about the message that was sent to it. No I/O in here.
// Invariant: a note holds codes and places of the standard only, never a text of the receiver, which may name a
// patient.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::sidecar::link {

struct Verdict {
    enum class Kind {
        accepted,
        refused,    // an acknowledgement of this message with another code
        of_another, // an acknowledgement of another message, such as a late one
        no_answer,  // no acknowledgement at all
    };
    Kind kind = Kind::no_answer;
    std::string note; // of a refusal "AE 207 PID^1^3": MSA-1, ERR-3, ERR-2, as far as they are well-formed
};

Verdict judge(std::string_view answer, std::string_view control_id, const std::vector<std::string>& accept_codes);

// MSH-10 as sent; empty when the bytes have no header.
std::string control_id_of(std::string_view message);
// Whether the receiver has to answer: not when MSH-15 and MSH-16 say never.
bool asks_for_answer(std::string_view message);

} // namespace radscheduler::sidecar::link
