// Purpose: the words of a study text that tell which exam it is ("MRI BRAIN W/O" and "MR head without contrast" have
// the same), in one spelling, and its side.
//
// Invariants: words about contrast are left out, because contrast_meant() reads them, and so are words for modalities.
// A word holds letters and digits only, is upper case where it is ASCII, and comes once; words are in order of their
// bytes. Of a text the first 500 characters are read; it may hold any bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace radscheduler {

enum class StudySide { none, left, right, both, one };

struct StudyWords {
    std::vector<std::string> words;
    StudySide side = StudySide::none;
};

// Letters beyond ASCII are taken as they are: whoever wants case not to matter gives them in upper case.
StudyWords study_words(std::string_view text);

// Empty for none.
std::string_view name_of(StudySide side);

} // namespace radscheduler
