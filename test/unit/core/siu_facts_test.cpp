// Facts about patients: observations, allergies and diagnoses as systems send them.
#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json read(const std::string& segments, const std::string& type = "SIU^S12") {
    return test::read_json("MSH|^~\\&|A|B|C|D|20310101||" + type +
                           "|1|P|2.5\rSCH||S1|||||||30|MIN|^^^203106021000\rPID|1||77||Doe^Jane\r" + segments);
}

// kind, code, value, unit, severity, observed_at of every fact, one a line.
std::string told(const nlohmann::json& reading) {
    std::string text;
    for (const auto& fact : reading.value("facts", nlohmann::json::array())) {
        if (!text.empty()) text += "\n";
        for (const char* key : {"kind", "code", "value", "unit", "severity", "observed_at"}) {
            if (fact.contains(key)) text += (std::string(key) == "kind" ? "" : " ") + fact.at(key).get<std::string>();
        }
        if (fact.contains("is_withdrawn")) text += " withdrawn";
    }
    return text;
}

struct Habit {
    const char* segment;
    const char* fact;
};
class SiuFacts : public testing::TestWithParam<Habit> {};
TEST_P(SiuFacts, AreReadAsSent) {
    const auto reading = read(GetParam().segment);
    EXPECT_EQ(told(reading), GetParam().fact) << GetParam().segment;
    EXPECT_TRUE(reading.at("warnings").empty()) << reading.at("warnings");
}
constexpr Habit kHabits[] = {
    {"OBX|1|NM|33914-3^GFR/BSA.pred^LN||62|mL/min/1.73m2|||||F|||20310105083000",
     "egfr 62 mL/min/1.73m2 2031-01-05T08:30:00"},
    {"OBX|1|NM|48642-3||55||||||F", "egfr 55"},
    {"OBX|1|NM|48643-1||55||||||C", "egfr 55"},
    {"OBX|1|NM|62238-1^^LN||91|mL/min/{1.73_m2}^^UCUM", "egfr 91 mL/min/{1.73_m2}"},
    {"OBX|1|NM|98979-8^eGFR 2021^LN||44.5", "egfr 44.5"},
    {"OBX|1|NM|GFRE^eGFR^L^33914-3^GFR^LN||29", "egfr 29"},
    {"OBX|1|SN|33914-3^GFR^LN||>^60", "egfr > 60"},
    {"OBX|1|SN|33914-3^GFR^LN||^61", "egfr 61"},
    {"OBX|1|ST|33914-3^GFR^LN||>60", "egfr > 60"},
    {"OBX|1|ST|33914-3^GFR^LN||> 90 mL/min/1.73m2", "egfr > 90 mL/min/1.73m2"},
    {"OBX|1|ST|33914-3^GFR^LN||<15", "egfr < 15"},
    {"OBX|1|ST|33914-3^GFR^LN||\xE2\x89\xA5"
     "60",
     "egfr > 60"},
    {"OBX|1|NM|EGFR^^L||58", "egfr 58"},
    {"OBX|1|NM|1234^Estimated GFR^L||58", "egfr 58"},
    {"OBX|1|NM|2160-0^Creatinine^LN||1.2|mg/dL", "creatinine 1.2 mg/dL"},
    {"OBX|1|NM|14682-9^Creatinine^LN||88|umol/L", "creatinine 88 umol/L"},
    {"OBX|1|NM|CREAT^CREATININE^L||0,9|mg/dL", "creatinine 0.9 mg/dL"},
    {"OBX|1|NM|29463-7^Body weight^LN||80.5|kg", "weight 80.5 kg"},
    {"OBX|1|NM|29463-7^Body weight^LN||176|[lb_av]^pound^UCUM", "weight 176 [lb_av]"},
    {"OBX|1|ST|WT^WEIGHT^L||82 kg", "weight 82 kg"},
    {"OBX|1|NM|8302-2^Body height^LN||172|cm", "height 172 cm"},
    {"OBX|1|CE|82810-3^Pregnancy status^LN||77386006^Pregnant^SCT", "pregnancy pregnant"},
    {"OBX|1|CWE|82810-3^Pregnancy status^LN||LA26683-5^Not pregnant^LN", "pregnancy not_pregnant"},
    {"OBX|1|CE|11449-6^Pregnancy status - Reported^LN||N^No^HL70136", "pregnancy not_pregnant"},
    {"OBX|1|ST|PREGNANT^^L||YES", "pregnancy pregnant"},
    {"OBX|1|CE|82810-3^^LN||102874004^Possible pregnancy^SCT", "pregnancy pregnant"},
    {"OBX|1|NM|33914-3||62||||||D|||20310105", "egfr 62 2031-01-05 withdrawn"},
    {"OBX|1|NM|33914-3||||||||W|||20310105", "egfr 2031-01-05 withdrawn"},
    {"AL1|1|DA|70618^Penicillin^RXNORM|MO|Rash|20290301", "allergy Penicillin MO 2029-03-01"},
    {"AL1|1||Iodinated contrast|SV^Severe", "allergy Iodinated contrast SV"},
    {"AL1|1|MA|^IODINATED CONTRAST MEDIA|^SEVERE", "allergy IODINATED CONTRAST MEDIA SV"},
    {"AL1|1|DA|^^^4331^Gadolinium^L|U", "allergy Gadolinium"},
    {"AL1|1|DA|LATEX", "allergy LATEX"},
    {"AL1|1|MC||SV", "allergy contrast (type MC) SV"},
    {"AL1|1||716186003^No known allergy^SCT", "allergy No known allergy"},
    {"AL1|1||NKDA", "allergy NKDA"},
    {"AL1|1|||", ""},
    {"AL1|1||\"\"", ""},
    {"AL1|1||LATEX||Hives|2015", "allergy LATEX"},
    {"DG1|1||E11.9^Type 2 diabetes^I10||20300101", "diagnosis E11.9 2030-01-01"},
    {"DG1|1|I9|250.00^Diabetes^I9", "diagnosis 250.00"},
    {"DG1|1||44054006^Type 2 diabetes mellitus^SCT", "diagnosis Type 2 diabetes mellitus"},
    {"DG1|1|||CHEST PAIN", "diagnosis CHEST PAIN"},
    {"DG1|1||R05^Cough^I10||||||||||||||||||D", "diagnosis R05 withdrawn"},
    {"OBX|1|NM|718-7^Hemoglobin^LN||13.5|g/dL", ""},
    {"OBX|1|NM|2161-8^Creatinine Urine^LN||120|mg/dL", ""},
    {"OBX|1|NM|X^URINE CREATININE^L||120|mg/dL", ""},
    {"OBX|1|TX|REPORT^TEXT^L||EGFR 60", ""},
};
INSTANTIATE_TEST_SUITE_P(Habits, SiuFacts, testing::ValuesIn(kHabits));

class SiuFactsRefused : public testing::TestWithParam<Habit> {};
TEST_P(SiuFactsRefused, AreRemarkedAndNotRead) {
    const auto reading = read(GetParam().segment);
    EXPECT_EQ(told(reading), "") << GetParam().segment;
    ASSERT_EQ(reading.at("warnings").size(), 1U) << GetParam().segment;
    EXPECT_EQ(reading.at("warnings")[0].at("code").get<std::string>() + " " +
                  reading.at("warnings")[0].at("path").get<std::string>(),
              GetParam().fact);
}
constexpr Habit kRefused[] = {
    {"OBX|1|NM|33914-3^GFR^LN||PENDING", "FACT_UNREADABLE OBX[1]-5"},
    {"OBX|1|NM|33914-3^GFR^LN||", "FACT_UNREADABLE OBX[1]-5"},
    {"OBX|1|NM|33914-3^GFR^LN||-5", "FACT_UNREADABLE OBX[1]-5"},
    {"OBX|1|NM|33914-3^GFR^LN||60-80", "FACT_UNREADABLE OBX[1]-5"},
    {"OBX|1|NM|33914-3^GFR^LN||1,234", "FACT_UNREADABLE OBX[1]-5"},
    {"OBX|1|NM|33914-3^GFR^LN||99999999999999999999", "FACT_UNREADABLE OBX[1]-5"},
    {"OBX|1|CE|82810-3^Pregnancy status^LN||LA4489-6^Unknown^LN", "FACT_UNREADABLE OBX[1]-5"},
    {"OBX|1|NM|33914-3^GFR^LN||62||||||P", "FACT_NOT_FINAL OBX[1]-11"},
    {"OBX|1|NM|33914-3^GFR^LN||62||||||X", "FACT_NOT_FINAL OBX[1]-11"},
};
INSTANTIATE_TEST_SUITE_P(Refused, SiuFactsRefused, testing::ValuesIn(kRefused));

TEST(SiuFactsOfMessages, EveryKindOfMessageTells) {
    const std::string segments = "OBX|1|NM|33914-3||62\rAL1|1||LATEX\rDG1|1||R05";
    for (const char* type : {"SIU^S12", "ADT^A08", "ADT^A01", "ORM^O01", "OMI^O23", "SRM^S01"})
        EXPECT_EQ(told(read(segments, type)), "egfr 62\nallergy LATEX\ndiagnosis R05") << type;
    EXPECT_FALSE(read("MRG|78\r" + segments, "ADT^A40").contains("facts"));
    EXPECT_FALSE(read("PV1|1|O").contains("facts"));
}

TEST(SiuFactsOfMessages, PathsAndBadTimes) {
    const auto reading = read("AL1|1||LATEX||Hives|NEVER\rOBX|1|NM|2160-0||1\rOBX|2|NM|33914-3||62");
    EXPECT_EQ(reading.at("facts")[2].at("path"), "OBX[2]");
    EXPECT_TRUE(test::has_warning(reading, "BAD_TIME", "AL1[1]-6"));
    EXPECT_EQ(told(reading), "allergy LATEX\ncreatinine 1\negfr 62");
}

TEST(SiuFactsOfMessages, MoreThanAnyPatientHas) {
    std::string segments;
    for (int i = 0; i < 700; ++i)
        segments += "AL1|1||LATEX\r";
    const auto reading = read(segments);
    EXPECT_EQ(reading.at("facts").size(), 500U);
    EXPECT_EQ(test::count_warnings(reading, "TOO_MANY_SEGMENTS"), 1U);
}

} // namespace
} // namespace radscheduler
