#include "support.hpp"

#include <gtest/gtest.h>

namespace radscheduler {
namespace {

nlohmann::json patient(std::string_view pid) {
    return test::read_segments("SCH||1\r" + std::string(pid)).at("patient");
}

nlohmann::json phones(const std::string& home, const std::string& business = "", const std::string& telecom = "") {
    std::string pid = "PID|1||7||X|||||||||";
    pid = "PID|1||7||X||||||||" + home + "|" + business + std::string(26, '|') + telecom;
    const auto result = patient(pid);
    return result.value("phones", nlohmann::json::array());
}

TEST(SiuPatient, EveryIdentifierIsKept) {
    EXPECT_EQ(patient("PID|1||12345^4^M11^HOSP&1.2&ISO^MR~999^^^&2.16&ISO^SS~^^^X|").at("identifiers"),
              nlohmann::json::parse(R"([{"value":"12345","authority":"HOSP","type":"MR"},
                                        {"value":"999","authority":"2.16","type":"SS"}])"));
}

TEST(SiuPatient, OldIdentifierFieldsServeWhenTheListIsEmpty) {
    EXPECT_EQ(patient("PID|1|OLD1||ALT1~ALT2").at("identifiers"), nlohmann::json::parse(R"([{"value":"OLD1"}])"));
    EXPECT_EQ(patient("PID|1|||ALT1~ALT2").at("identifiers"),
              nlohmann::json::parse(R"([{"value":"ALT1"},{"value":"ALT2"}])"));
    EXPECT_EQ(patient("PID|1|OLD1|NEW1|ALT1").at("identifiers"), nlohmann::json::parse(R"([{"value":"NEW1"}])"));
}

TEST(SiuPatient, AWordForNoneIsNoIdentifier) {
    for (const char* word : {"null", "NULL", "N/A", "unknown", "0", "000000000"}) {
        const auto reading = test::read_segments("SCH||1\rPID|1||" + std::string(word) + "^^^A^MR~77^^^A^MR");
        EXPECT_EQ(reading.at("patient").at("identifiers").size(), 1U) << word;
        EXPECT_TRUE(test::has_warning(reading, "ID_PLACEHOLDER", "PID-3[1]")) << word;
    }
    EXPECT_EQ(patient("PID|1|77|null").at("identifiers")[0].at("value"), "77");
    EXPECT_FALSE(patient("PID|1||null").contains("identifiers"));
    EXPECT_EQ(patient("PID|1||0077").at("identifiers")[0].at("value"), "0077");
}

TEST(SiuPatient, DisplayName) {
    EXPECT_EQ(patient("PID|1||7||DOE^JOHN").at("display"), "John Doe");
    EXPECT_EQ(patient("PID|1||7||Doe^john").at("display"), "john Doe");
    EXPECT_EQ(patient("PID|1||7||O'BRIEN-SMITH^MARY ANN^J^III^DR").at("display"), "Mary Ann J O'Brien-Smith III");
    EXPECT_EQ(patient("PID|1||7||McDonald^RON").at("display"), "RON McDonald");
    EXPECT_EQ(patient("PID|1||7||M\xC3\x9CLLER^\xC3\x89LODIE").at("display"), "Élodie Müller");
    EXPECT_EQ(patient("PID|1||7||ИВАНОВ^ПЁТР").at("display"), "Пётр Иванов");
    EXPECT_EQ(patient("PID|1||7||ΠΑΠΠΑΣ").at("display"), "Παππασ");
    EXPECT_EQ(patient("PID|1||7||山田^太郎").at("display"), "太郎 山田");
    EXPECT_EQ(patient("PID|1||7||SOLO").at("display"), "Solo");
}

TEST(SiuPatient, FamilyNameIsItsFirstSubcomponent) {
    const auto result = patient("PID|1||7||van Beethoven&van&Beethoven^Ludwig");
    EXPECT_EQ(result.at("family"), "van Beethoven");
    EXPECT_EQ(result.at("display"), "Ludwig van Beethoven");
}

TEST(SiuPatient, LegalNameIsChosen) {
    EXPECT_EQ(patient("PID|1||7||Alias^A^^^^^A~Legal^L^^^^^L").at("family"), "Legal");
    EXPECT_EQ(patient("PID|1||7||Alias^A^^^^^A~Display^D^^^^^D").at("family"), "Display");
    EXPECT_EQ(patient("PID|1||7||Maiden^M^^^^^M~Untyped^U").at("family"), "Untyped");
    EXPECT_EQ(patient("PID|1||7||Alias^A^^^^^S~Maiden^M^^^^^M").at("family"), "Maiden");
    EXPECT_EQ(patient("PID|1||7||山田^太郎^^^^^L^I~Yamada^Taro^^^^^L^A").at("family"), "Yamada");
}

TEST(SiuPatient, LegalThenUntypedThenDisplayThenFirst) {
    const auto family = [](const std::string& names) { return patient("PID|1||7||" + names).value("family", ""); };
    EXPECT_EQ(family("Untyped^A~Legal^B^^^^^L"), "Legal");
    EXPECT_EQ(family("Display^A^^^^^D~Untyped^B"), "Untyped");
    EXPECT_EQ(family("Maiden^A^^^^^M~Display^B^^^^^D"), "Display");
    EXPECT_EQ(family("Maiden^A^^^^^M~Nick^B^^^^^N"), "Maiden");
    EXPECT_EQ(family("~Legal^B^^^^^L"), "Legal");
}

TEST(SiuPatient, AnAliasIsNoName) {
    const auto reading = test::read_segments("SCH||1\rPID|1||7||Zorro^Al^^^^^A~Nobody^N^^^^^S");
    EXPECT_EQ(reading.at("patient"), nlohmann::json::parse(R"({"identifiers":[{"value":"7"}]})"));
    EXPECT_TRUE(test::has_warning(reading, "NAME_IS_ALIAS", "PID-5"));
    EXPECT_EQ(reading.at("warnings").dump().find("Zorro"), std::string::npos);
    EXPECT_EQ(test::count_warnings(test::read_segments("SCH||1\rPID|1||7||~"), "NAME_IS_ALIAS"), 0U);
}

TEST(SiuPatient, NullClearsAndEmptyDoesNot) {
    const auto cleared = patient("PID|1||7||\"\"||\"\"|\"\"|||||\"\"");
    for (const char* key : {"family", "given", "display", "birth_date", "sex", "phones"}) {
        ASSERT_TRUE(cleared.contains(key)) << key;
        EXPECT_TRUE(cleared.at(key).is_null()) << key;
    }
    EXPECT_EQ(patient("PID|1||7"), nlohmann::json::parse(R"({"identifiers":[{"value":"7"}]})"));
}

TEST(SiuPatient, BirthDate) {
    EXPECT_EQ(patient("PID|1||7||||19880818112600+0215").at("birth_date"), "1988-08-18");
    const auto partial = test::read_segments("SCH||1\rPID|1||7||||1988");
    EXPECT_FALSE(partial.at("patient").contains("birth_date"));
    EXPECT_TRUE(test::has_warning(partial, "BIRTH_DATE_PARTIAL", "PID-7"));
    const auto bad = test::read_segments("SCH||1\rPID|1||7||||19880231");
    EXPECT_FALSE(bad.at("patient").contains("birth_date"));
    EXPECT_TRUE(test::has_warning(bad, "BAD_BIRTH_DATE", "PID-7"));
    EXPECT_FALSE(bad.contains("error"));
}

TEST(SiuPatient, Deceased) {
    EXPECT_EQ(patient("PID|1||7" + std::string(27, '|') + "Y").at("deceased"), true);
    EXPECT_EQ(patient("PID|1||7" + std::string(26, '|') + "20200101").at("deceased"), true);
    EXPECT_EQ(patient("PID|1||7" + std::string(27, '|') + "N").at("deceased"), false);
    EXPECT_FALSE(patient("PID|1||7").contains("deceased"));
}

TEST(SiuPhones, MobileFirstThenHomeThenWork) {
    EXPECT_EQ(phones("555-0001^PRN^PH~555-0002^WPN^PH~555-0003^PRN^CP"),
              nlohmann::json::parse(R"([{"value":"555-0003","use":"PRN","equipment":"CP"},
                                        {"value":"555-0001","use":"PRN","equipment":"PH"},
                                        {"value":"555-0002","use":"WPN","equipment":"PH"}])"));
    EXPECT_EQ(phones("", "555-0009")[0].at("value"), "555-0009");
    EXPECT_EQ(phones("555-0001", "555-0009^^CP", "555-0007^PRS^CP")[0].at("value"), "555-0007");
}

TEST(SiuPhones, WhatIsNoTelephoneIsLeftOut) {
    EXPECT_EQ(phones("^NET^Internet^a@b.example~555-0001^PRN^FX~555-0002^BPN^BP~a@b.example~none").size(), 0U);
}

TEST(SiuPhones, NumberFromTheBestComponent) {
    EXPECT_EQ(phones("(617)555-0123^PRN^PH^^1^617^5550123^99^^^^+16175550123")[0].at("value"), "+16175550123");
    EXPECT_EQ(phones("^PRN^PH^^1^617^5550123")[0].at("value"), "+1 617 5550123");
    EXPECT_EQ(phones("(617)555-0123^PRN^PH")[0].at("value"), "(617)555-0123");
}

TEST(SiuPatient, IsReadFromOtherMessageTypes) {
    const auto reading = test::read_json("MSH|^~\\&|A|B|C|D|2026||ADT^A08|1|P|2.5\rPID|1||7||Doe^Jane\rPV1|1|O");
    EXPECT_EQ(reading.at("patient").at("display"), "Jane Doe");
    EXPECT_EQ(reading.at("visit").at("patient_class"), "O");
    EXPECT_FALSE(reading.contains("schedule"));
    EXPECT_FALSE(reading.contains("services"));
    EXPECT_FALSE(reading.contains("error"));
}

} // namespace
} // namespace radscheduler
