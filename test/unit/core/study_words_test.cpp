// Which words of a study text tell the exam, and which side they tell.
#include "radscheduler/study_words.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace radscheduler;

namespace {

std::string joined(const StudyWords& study) {
    std::string text;
    for (const std::string& word : study.words)
        text += (text.empty() ? "" : " ") + word;
    return text;
}

struct Case {
    std::string_view text;
    std::string_view words;
    std::string_view side = "";
};

class StudyWordsOf : public testing::TestWithParam<Case> {};

TEST_P(StudyWordsOf, AreThoseThatTellTheExam) {
    const StudyWords study = study_words(GetParam().text);
    EXPECT_EQ(joined(study), GetParam().words) << GetParam().text;
    EXPECT_EQ(name_of(study.side), GetParam().side) << GetParam().text;
}

constexpr Case kSpellings[] = {
    {"CT BRAIN W/O CONTRAST", "HEAD"},
    {"ct head without contrast", "HEAD"},
    {"Brain CT w/o IV contrast", "HEAD"},
    {"CT ABD/PEL", "ABDOMEN PELVIS"},
    {"CT of the abdomen + pelvis", "ABDOMEN PELVIS"},
    {"MRCP", "CHOLANGIOPANCREATOGRAPHY"},
    {"HRCT chest", "CHEST HIGHRES"},
    {"CHEST CHEST", "CHEST"},
    {"", ""},
    {"!!! %", ""},
    {"_", ""},
};
INSTANTIATE_TEST_SUITE_P(Spellings, StudyWordsOf, testing::ValuesIn(kSpellings));

constexpr Case kPhrases[] = {
    {"CHEST X-RAY", "CHEST"},
    {"MRI C-SPINE", "CERVICAL SPINE"},
    {"CSPINE", "CERVICAL SPINE"},
    {"T SPINE AND L SPINE", "LUMBAR SPINE THORACIC"},
    {"L-S SPINE", "LUMBAR SPINE"},
    {"LS SPINE", "LUMBAR SPINE"},
    {"CT C/A/P", "ABDOMEN CHEST PELVIS"},
    {"CT A/P", "ABDOMEN PELVIS"},
    {"FOOT 3 VIEWS", "3V FOOT"},
    {"FOOT 3VW", "3V FOOT"},
    {"FOOT 12 VIEWS", "12 FOOT VIEWS"}, // of one digit only
    {"CHEST PA AND LATERAL", "2V CHEST"},
    {"CHEST PA LAT", "2V CHEST"},
    {"CHEST PA AND", "CHEST PA"}, // begun, not ended
    {"US RUQ", "QUADRANT RIGHTUPPER"},
    {"US right upper quadrant", "QUADRANT RIGHTUPPER"},
    {"FNA thyroid", "FNA THYROID"},
    {"Thyroid fine needle aspiration", "FNA THYROID"},
    {"X", "X"},
};
INSTANTIATE_TEST_SUITE_P(Phrases, StudyWordsOf, testing::ValuesIn(kPhrases));

constexpr Case kSides[] = {
    {"MRI LT KNEE", "KNEE", "left"},       {"KNEE R", "KNEE", "right"},           {"KNEES B/L", "KNEE", "both"},
    {"LEFT AND RIGHT HIP", "HIP", "both"}, {"BILATERAL LEFT HIP", "HIP", "both"}, {"UNILATERAL LEG", "LEG", "one"},
    {"ONE LEG, LEFT", "LEG", "left"},      {"LEFT, ONE LEG", "LEG", "left"},      {"LEFT LT L LEG", "LEG", "left"},
};
INSTANTIATE_TEST_SUITE_P(Sides, StudyWordsOf, testing::ValuesIn(kSides));

constexpr Case kBeyondAscii[] = {
    {"CT HEAD \xE2\x80\x93 NECK", "HEAD NECK"},                   // a dash
    {"\xE2\x80\x9CKNEE\xE2\x80\x9D\xC2\xA0LEFT", "KNEE", "left"}, // quotation marks, a blank that does not break
    {"3\xC3\x97HIP", "3 HIP"},                                    // times
    {"\xC3\x84RZTE KNIE", "KNIE \xC3\x84RZTE"},                   // a letter
    {"KNEE\xE2\x82\xAC\xE2\x86\x92\xE2\x97\x8F", "KNEE"},         // signs one after the other
    {"KNEE\xE2", "KNEE"},                                         // cut off
};
INSTANTIATE_TEST_SUITE_P(BeyondAscii, StudyWordsOf, testing::ValuesIn(kBeyondAscii));

TEST(StudyWordsBounds, OfALongTextTheFirst500CharactersAreRead) {
    std::string text(496, ' ');
    EXPECT_EQ(joined(study_words(text + "KNEE HIP")), "KNEE");
    text.clear();
    for (int i = 0; i < 498; ++i)
        text += "\xC3\x97"; // one character of two bytes
    EXPECT_EQ(joined(study_words(text + "ABCD")), "AB");
}

TEST(StudyWordsBounds, AnyBytesGiveAnAnswer) {
    EXPECT_EQ(joined(study_words(std::string("KNEE\0HIP", 8))), "HIP KNEE");
    EXPECT_EQ(joined(study_words("\x80\xC2")), "\x80");
}

} // namespace
