#include "radscheduler/json_writer.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace radscheduler {
namespace {

TEST(JsonWriter, PlacesCommas) {
    JsonWriter json;
    json.begin_object();
    json.member("a", "x");
    json.member("skipped", "");
    json.key("list");
    json.begin_array();
    json.number(-1);
    json.boolean(true);
    json.null();
    json.begin_object();
    json.end_object();
    json.text("");
    json.end_array();
    json.key("b");
    json.boolean(false);
    json.end_object();
    EXPECT_EQ(json.take(), R"({"a":"x","list":[-1,true,null,{},""],"b":false})");
}

TEST(JsonWriter, EscapesWhatJsonCannotHold) {
    std::string text = "quote\" slash\\ caf\xC3\xA9 ";
    for (int i = 1; i < 0x20; ++i)
        text.push_back(static_cast<char>(i));
    JsonWriter json;
    json.text(text);
    EXPECT_EQ(nlohmann::json::parse(json.take()).get<std::string>(), text);
}

TEST(JsonWriter, LeavesNulOut) {
    JsonWriter json;
    json.text(std::string_view("a\0b", 3));
    EXPECT_EQ(json.take(), "\"ab\"");
}

} // namespace
} // namespace radscheduler
