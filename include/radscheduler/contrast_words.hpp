// Purpose: what the text of an exam says about an intravascular contrast agent ("CT CHEST W/O", "MRI BRAIN PRE AND POST
// GAD"), word by word.
//
// Invariants: a word about contrast that is not understood gives `unknown`, never `without` and never `none`; what is
// unclear is for a person to decide. `none` means that the text has no such word, not that no contrast is given. Time
// and memory grow linearly with the text, which may hold any bytes.
#pragma once

#include <string_view>

namespace radscheduler {

enum class ContrastMeant {
    none,    // no word about it
    with,    // with a contrast agent
    without, // without
    both,    // without and with
    unknown, // words about it that cannot be understood, or that leave it open
};

ContrastMeant contrast_meant(std::string_view text);

std::string_view name_of(ContrastMeant meant);

} // namespace radscheduler
