// Study texts: whatever the bytes, the words are in order, each once, without blanks and signs of ASCII, and what the
// text says about side and contrast has a name.
#include "check.hpp"
#include "radscheduler/contrast_words.hpp"
#include "radscheduler/study_words.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

bool is_of_a_word(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const StudyWords study = study_words(text);
    FUZZ_CHECK(std::ranges::is_sorted(study.words));
    FUZZ_CHECK(std::ranges::adjacent_find(study.words) == study.words.end());
    for (const std::string& word : study.words)
        FUZZ_CHECK(!word.empty() && std::ranges::all_of(word, is_of_a_word));
    FUZZ_CHECK((study.side == StudySide::none) == name_of(study.side).empty());
    FUZZ_CHECK(!name_of(contrast_meant(text)).empty());
    return 0;
}
