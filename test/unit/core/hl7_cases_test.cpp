// The shared table of accessor rules, when it lies beside the repository. The rules that matter most stand as literal
// tests in value_test.cpp, escape_test.cpp and message_test.cpp too.
#include "radscheduler/escape.hpp"
#include "radscheduler/value.hpp"
#include "support.hpp"

#include <fstream>
#include <gtest/gtest.h>

namespace radscheduler {
namespace {

std::string shown(const Value& value, const Delimiters& delimiters) {
    switch (value.state) {
    case State::absent:
        return "<ABSENT>";
    case State::empty:
        return "<EMPTY>";
    case State::null:
        return "<HL7NULL>";
    case State::value:
        return decode(value.raw, delimiters);
    }
    return {};
}

TEST(Hl7Cases, AllRulesHold) {
    const auto folder = test::beside_repository("RADSCHED_DOMAIN", "shared/domain");
    if (!folder || !std::filesystem::exists(*folder / "hl7_cases.tsv")) {
        GTEST_SKIP() << "hl7_cases.tsv is not here; set RADSCHED_DOMAIN to the folder that holds it.";
    }
    std::ifstream table(*folder / "hl7_cases.tsv");
    std::string line;
    std::getline(table, line);
    int cases = 0;
    while (std::getline(table, line)) {
        std::vector<std::string> columns;
        std::size_t begin = 0;
        while (columns.size() < 4) {
            const std::size_t end = columns.size() == 3 ? std::string::npos : line.find('\t', begin);
            columns.push_back(line.substr(begin, end - begin));
            if (end == std::string::npos) break;
            begin = end + 1;
        }
        ASSERT_GE(columns.size(), 4U) << line;
        std::string expected_json = columns[3];
        expected_json = expected_json.substr(0, expected_json.find('\t'));
        const std::string input = nlohmann::json::parse(columns[1]).get<std::string>();
        const std::string expected = nlohmann::json::parse(expected_json).get<std::string>();
        const test::Opened opened = test::open(input);
        ASSERT_TRUE(opened.message) << "case " << columns[0];
        const Result<Path> path = Path::parse(columns[2]);
        ASSERT_TRUE(path) << "case " << columns[0];
        EXPECT_EQ(shown(get(*opened.message, *path), opened.message->delimiters()), expected) << "case " << columns[0];
        Value many;
        get_many(*opened.message, {&*path, 1}, {&many, 1});
        EXPECT_EQ(shown(many, opened.message->delimiters()), expected) << "get_many, case " << columns[0];
        ++cases;
    }
    EXPECT_EQ(cases, 77);
}

} // namespace
} // namespace radscheduler
