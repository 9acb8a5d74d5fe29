// study_words(), study_side(): which exam a study text means, word by word.
#include "radscheduler/study_words.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "guard.hpp"

namespace radscheduler::pg {

namespace {

// The text in upper case, whatever its letters. May longjmp.
std::string_view in_upper_case(const struct varlena* value) {
    const std::string_view text = view_of(value);
    const bool is_ascii = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (is_ascii) return text; // the core does it
    const char* upper = str_toupper(text.data(), text.size(), DEFAULT_COLLATION_OID);
    return {upper, std::strlen(upper)};
}

// Words joined by blanks, which none holds.
std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : " ") + word;
    return text;
}

} // namespace

RAD_FUNCTION(rad_study_words) {
    const std::string_view text = in_upper_case(PG_GETARG_VARLENA_PP(0));
    const char* words = copy_out(joined(study_words(text).words));
    // What follows may longjmp; no C++ object is alive any more.
    const std::size_t size = std::strlen(words);
    auto* elements = static_cast<Datum*>(palloc(sizeof(Datum) * (size / 2 + 1)));
    int count = 0;
    for (const char* at = words; *at != '\0';) {
        const char* end = std::find(at, words + size, ' ');
        elements[count++] = PointerGetDatum(cstring_to_text_with_len(at, static_cast<int>(end - at)));
        at = *end == ' ' ? end + 1 : end;
    }
    *result = PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
    return true;
}

RAD_FUNCTION(rad_study_side) {
    const std::string_view text = in_upper_case(PG_GETARG_VARLENA_PP(0));
    const std::string_view side = name_of(study_words(text).side);
    if (side.empty()) {
        fcinfo->isnull = true;
        return true;
    }
    *result = PointerGetDatum(varlena_of(side));
    return true;
}

} // namespace radscheduler::pg
