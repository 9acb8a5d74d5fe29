// What the texts of exams say about contrast: texts as systems write them, each with its meaning.
#include "radscheduler/contrast_words.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace radscheduler;

namespace {

struct Case {
    std::string_view text;
    std::string_view meant;
};

class ContrastWords : public testing::TestWithParam<Case> {};

TEST_P(ContrastWords, MeansWhatAPersonReads) {
    EXPECT_EQ(name_of(contrast_meant(GetParam().text)), GetParam().meant) << GetParam().text;
}

// A pattern of WITH alone takes these for exams without.
constexpr Case kEasilyMissed[] = {
    {"WITH AND WITHOUT CONTRAST", "both"},
    {"W WO CONTRAST", "both"},
    {"W/ & W/O CONTRAST", "both"},
    {"W/ AND W/O GAD", "both"},
    {"W IV CONTRAST", "with"},
    {"W+W/O", "both"},
    {"CT ABDOMEN W IV CONTRAST", "with"},
    {"MRI BRAIN W+W/O", "both"},
    {"MRI BRAIN W/ AND W/O GAD", "both"},
};
INSTANTIATE_TEST_SUITE_P(EasilyMissed, ContrastWords, testing::ValuesIn(kEasilyMissed));

constexpr Case kWith[] = {
    {"CT CHEST WITH CONTRAST", "with"},
    {"CT CHEST W CONTRAST", "with"},
    {"CT CHEST W/CONTRAST", "with"},
    {"CT CHEST W/ CONTRAST", "with"},
    {"CT CHEST W/IV CONTRAST", "with"},
    {"ct abdomen and pelvis with iv contrast", "with"},
    {"CT ABD/PEL W CON", "with"},
    {"CT ABD PELVIS WITH INTRAVENOUS CONTRAST MEDIA", "with"},
    {"CT ABDOMEN WITH ORAL AND IV CONTRAST", "with"},
    {"CT ABDOMEN IV AND ORAL CONTRAST", "with"},
    {"CT HEAD W", "with"},
    {"CT HEAD WITH", "with"},
    {"CT HEAD (W)", "with"},
    {"CT W CONTRAST CHEST", "with"},
    {"MRI BRAIN W GAD", "with"},
    {"MRI BRAIN GAD", "with"},
    {"MRI BRAIN WITH GADOLINIUM", "with"},
    {"MRI BRAIN +GADO", "with"},
    {"MRI LIVER W EOVIST", "with"},
    {"CT NECK C+", "with"},
    {"CT NECK +C", "with"},
    {"CT (C+) NECK", "with"},
    {"CT IV CON CHEST", "with"},
    {"CT CHEST IV CONTRAST", "with"},
    {"CT CHEST IVCON", "with"},
    {"CT CHEST WCONTRAST", "with"},
    {"CT CHEST WITHCONTRAST", "with"},
    {"MRI BREAST POST CONTRAST", "with"},
    {"MRI BRAIN POST GAD", "with"},
    {"CONTRAST ENHANCED CT CHEST", "with"},
    {"CONTRAST-ENHANCED MRA NECK", "with"},
    {"CE-MRI BREAST", "with"},
    {"CT ABDOMEN ENHANCED", "with"},
    {"CT CHEST, CONTRAST: YES", "with"},
    {"CT CHEST WITH LOW OSMOLAR CONTRAST", "with"},
    {"CTA CHEST", "with"},
    {"CTA CHEST W CONTRAST", "with"},
    {"CT ANGIOGRAM HEAD", "with"},
    {"CT ANGIOGRAPHY NECK", "with"},
    {"CTPA", "with"},
    {"CT UROGRAM", "with"},
    {"MR ARTHROGRAPHY SHOULDER", "with"},
    {"IVP", "with"},
    {"CT CHEST W CONTRAST W SEDATION", "with"},
    {"CT CHEST WITH CONTRAST WITH 3D RECON", "with"},
    {"CT ABD W IV CONTRAST, NO ORAL", "with"},
    {"CT ABD WITH IV CONTRAST AND WITHOUT ORAL CONTRAST", "with"},
    {"CT^CHEST^W CONTRAST", "with"},
};
INSTANTIATE_TEST_SUITE_P(With, ContrastWords, testing::ValuesIn(kWith));

constexpr Case kWithout[] = {
    {"CT HEAD WITHOUT CONTRAST", "without"},
    {"CT HEAD W/O CONTRAST", "without"},
    {"CT HEAD W/O", "without"},
    {"CT HEAD WO", "without"},
    {"CT HEAD W/OUT CONTRAST", "without"},
    {"CT HEAD WO CON", "without"},
    {"CT HEAD WO IV CONTRAST", "without"},
    {"CT HEAD W/OCONTRAST", "without"},
    {"CT HEAD WOCONTRAST", "without"},
    {"CT HEAD WITHOUTCONTRAST", "without"},
    {"CT HEAD NON CONTRAST", "without"},
    {"CT HEAD NON-CONTRAST", "without"},
    {"CT HEAD NONCONTRAST", "without"},
    {"CT HEAD NON-CON", "without"},
    {"CT HEAD NONCON", "without"},
    {"CT HEAD NO CONTRAST", "without"},
    {"CT HEAD, NO IV CONTRAST", "without"},
    {"CT HEAD UNENHANCED", "without"},
    {"UNENHANCED CT HEAD", "without"},
    {"NON-ENHANCED CT", "without"},
    {"NCCT HEAD", "without"},
    {"CT HEAD DRY", "without"},
    {"PLAIN CT HEAD", "without"},
    {"CT HEAD C-", "without"},
    {"CT HEAD -C", "without"},
    {"CT (C-) HEAD", "without"},
    {"MRI BRAIN W/O GAD", "without"},
    {"MRI BRAIN NO GADOLINIUM", "without"},
    {"CT HEAD CONTRAST: NONE", "without"},
    {"CT HEAD (CONTRAST NO)", "without"},
    {"CT HEAD W/O CONTRAST W/ SEDATION", "without"},
    {"MRA HEAD WITHOUT CONTRAST", "without"},
    {"MR ANGIOGRAPHY HEAD WO", "without"},
    {"MRI L SPINE WITHOUT", "without"},
};
INSTANTIATE_TEST_SUITE_P(Without, ContrastWords, testing::ValuesIn(kWithout));

constexpr Case kBoth[] = {
    {"CT HEAD WITHOUT AND WITH CONTRAST", "both"},
    {"MRI BRAIN W/WO", "both"},
    {"MRI BRAIN W/WO CONTRAST", "both"},
    {"MRI BRAIN WWO", "both"},
    {"MRI BRAIN W&WO", "both"},
    {"MRI BRAIN W & WO CONTRAST", "both"},
    {"MRI BRAIN W & W/O CONTRAST", "both"},
    {"MRI BRAIN W AND WO", "both"},
    {"MRI BRAIN WO/W", "both"},
    {"MRI BRAIN W/O & W/", "both"},
    {"MRI BRAIN W/O AND W/ CONTRAST", "both"},
    {"MRI BRAIN W-WO", "both"},
    {"MRI BRAIN WITH/WITHOUT CONTRAST", "both"},
    {"MRI BRAIN W+WO", "both"},
    {"MRI BRAIN WITHOUT THEN WITH CONTRAST", "both"},
    {"MRI BRAIN WITHOUT CONTRAST FOLLOWED BY WITH CONTRAST", "both"},
    {"MRI BRAIN WITHOUT CONTRAST & WITH CONTRAST", "both"},
    {"MRI BRAIN PRE AND POST", "both"},
    {"MRI BRAIN PRE AND POST CONTRAST", "both"},
    {"MRI BRAIN PRE/POST GAD", "both"},
    {"MRI BRAIN PRE & POST GADOLINIUM", "both"},
    {"CT LIVER C-/C+", "both"},
    {"CT LIVER C+/-", "both"},
    {"CT LIVER C- C+", "both"},
    {"CT LIVER C\xC2\xB1", "both"},
    {"MRI BRAIN W WO ORBITS", "both"},
    {"CT HEAD WO, CT CHEST W", "both"},
    {"CT ABD UNENHANCED AND ENHANCED", "both"},
    {"CTA HEAD W WO CONTRAST", "both"},
    {"MRI BRAIN WITH & WITHOUT IV CONTRAST", "both"},
};
INSTANTIATE_TEST_SUITE_P(Both, ContrastWords, testing::ValuesIn(kBoth));

// For a person to read.
constexpr Case kUnknown[] = {
    {"CT ABDOMEN WITH OR WITHOUT CONTRAST", "unknown"},
    {"CT ABDOMEN W OR WO", "unknown"},
    {"CT ABDOMEN WITH AND/OR WITHOUT CONTRAST", "unknown"},
    {"CT ABDOMEN +/- CONTRAST", "unknown"},
    {"CT ABDOMEN \xC2\xB1 CONTRAST", "unknown"},
    {"CT ABDOMEN \xC2\xB1"
     "C",
     "unknown"},
    {"CT ABDOMEN +/- GAD", "unknown"},
    {"CT ABDOMEN CONTRAST", "unknown"},
    {"CT ABDOMEN CONTRAST IF NEEDED", "unknown"},
    {"CT ABDOMEN WITH CONTRAST IF NEEDED", "unknown"},
    {"CT ABDOMEN W/O CONTRAST (WITH IF INDICATED)", "unknown"},
    {"CT ABDOMEN, IF NEEDED WITH CONTRAST", "unknown"},
    {"CT ABDOMEN POSSIBLE CONTRAST", "unknown"},
    {"CT ABDOMEN MAY NEED IV CONTRAST", "unknown"},
    {"CT ABDOMEN CONTRAST?", "unknown"},
    {"CT ABDOMEN W CONTRAST?", "unknown"},
    {"CT ABDOMEN CONTRAST PER RADIOLOGIST", "unknown"},
    {"CT ABDOMEN CONTRAST AT RADIOLOGIST DISCRETION", "unknown"},
    {"CT ABDOMEN CONTRAST PRN", "unknown"},
    {"CT ABDOMEN ORAL CONTRAST ONLY", "unknown"},
    {"CT ABDOMEN WITH ORAL CONTRAST", "unknown"},
    {"CT ABDOMEN NO CONTRAST ALLERGY", "unknown"},
    {"CT ABDOMEN PATIENT ALLERGIC TO CONTRAST", "unknown"},
    {"CT ABDOMEN W/O CONTRAST - CONTRAST REACTION", "unknown"},
    {"CT ABDOMEN NOT WITH CONTRAST", "unknown"},
    {"CT ABDOMEN DO NOT GIVE CONTRAST", "unknown"},
    {"CT ABDOMEN HOLD CONTRAST", "unknown"},
    {"CT ABDOMEN NOT WITHOUT CONTRAST", "unknown"},
    {"CT ABDOMEN NO WITH CONTRAST", "unknown"},
    {"CTA CHEST WITHOUT CONTRAST", "unknown"},
    {"MR ARTHROGRAM HIP WITHOUT CONTRAST", "unknown"},
    {"CT ABDOMEN CONTRASTIVE", "unknown"},
    {"CT ABDOMEN BICONTRAST", "unknown"},
    {"MRI BRAIN PRE CONTRAST", "unknown"},
    {"MRI BRAIN WO ROUTINE", "unknown"},
    {"CT ABDOMEN W PELVIS", "unknown"},
    {"CT ABDOMEN W/C", "unknown"},
    {"NO IV ACCESS", "unknown"},
};
INSTANTIATE_TEST_SUITE_P(Unknown, ContrastWords, testing::ValuesIn(kUnknown));

constexpr Case kNone[] = {
    {"", "none"},
    {"CT HEAD", "none"},
    {"MRI LUMBAR SPINE", "none"},
    {"MRI BRAIN WITH SEDATION", "none"},
    {"MRI BRAIN W/ SEDATION", "none"},
    {"MRI BRAIN WITHOUT SEDATION", "none"},
    {"MRI BRAIN WITH ANESTHESIA", "none"},
    {"MAMMOGRAM SCREENING WITH CAD", "none"},
    {"MAMMOGRAM BILATERAL W TOMO", "none"},
    {"XR C-SPINE", "none"},
    {"XR C-SPINE WITH OBLIQUES", "none"},
    {"XR KNEE WITH AND WITHOUT WEIGHT BEARING", "none"},
    {"FLUORO C-ARM", "none"},
    {"US BLADDER PRE AND POST VOID", "none"},
    {"XR HIP POST OP", "none"},
    {"XR WRIST POST REDUCTION", "none"},
    {"US ABDOMEN WITH DOPPLER", "none"},
    {"US BREAST W BIOPSY", "none"},
    {"CT SINUS, DRY COUGH", "none"},
    {"CT CHEST NON DISPLACED FRACTURE", "none"},
    {"MRI NO PACEMAKER", "none"},
    {"MRA HEAD", "none"},
    {"MR ANGIOGRAPHY HEAD", "none"},
    {"CONE BEAM CT", "none"},
    {"IF CLAUSTROPHOBIC CALL", "none"},
    {"WOUND CHECK XR", "none"},
    {"WRIST", "none"},
    {"???", "none"},
};
INSTANTIATE_TEST_SUITE_P(None, ContrastWords, testing::ValuesIn(kNone));

TEST(ContrastWordsBounds, AnyBytesGiveAnAnswer) {
    EXPECT_EQ(contrast_meant(std::string("CT\0HEAD W/O", 11)), ContrastMeant::without);
    EXPECT_EQ(contrast_meant("\xFF\xFE W CONTRAST \xC2"), ContrastMeant::with);
    EXPECT_EQ(contrast_meant("W/"), ContrastMeant::with);
    EXPECT_EQ(contrast_meant("C"), ContrastMeant::none);
    EXPECT_EQ(contrast_meant("+"), ContrastMeant::none);
}

TEST(ContrastWordsBounds, LongTextsAreRead) {
    std::string text;
    for (int i = 0; i < 20000; ++i)
        text += "W WO AND ";
    EXPECT_EQ(contrast_meant(text), ContrastMeant::both);
}

} // namespace
