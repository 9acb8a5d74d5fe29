// What an answer says about a message: by MSA alone, in whatever form receivers send it, and never with their words.
#include "link/answer.hpp"
#include "link/route.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::link;
using Kind = Verdict::Kind;

const std::vector<std::string> accepted{"AA", "CA"};

Verdict judged(std::string_view answer, std::string_view control_id = "RST7") {
    return judge(answer, control_id, accepted);
}

std::string answer(const std::string& msa, const std::string& more = "") {
    return "MSH|^~\\&|PACS|NORTH|RADSCHEDULER|MAIN|20310101||ACK|1|P|2.5.1\rMSA|" + msa + "\r" + more;
}

TEST(LinkAnswer, TakesWhatTheLinkTakes) {
    EXPECT_EQ(judged(answer("AA|RST7")).kind, Kind::accepted);
    EXPECT_EQ(judged(answer("CA|RST7")).kind, Kind::accepted);
    EXPECT_EQ(judge(answer("AE|RST7"), "RST7", {"AA", "AE"}).kind, Kind::accepted);
    EXPECT_EQ(judged(answer("AA|RST7|")).note, "AA");
}

TEST(LinkAnswer, EveryOtherCodeIsARefusal) {
    for (const char* code : {"AE", "AR", "CE", "CR"}) {
        const auto verdict = judged(answer(std::string(code) + "|RST7"));
        EXPECT_EQ(verdict.kind, Kind::refused);
        EXPECT_EQ(verdict.note, code);
    }
    EXPECT_EQ(judged(answer("AA or so|RST7")).kind, Kind::refused);
    EXPECT_EQ(judged(answer("|RST7")).kind, Kind::refused);
}

TEST(LinkAnswer, IsOfAnotherMessageByItsControlId) {
    EXPECT_EQ(judged(answer("AA|RST8")).kind, Kind::of_another);
    EXPECT_EQ(judged(answer("AE|RST8")).kind, Kind::of_another);
    EXPECT_EQ(judged(answer("AA")).kind, Kind::of_another);
    EXPECT_EQ(judged(answer("AA|rst7")).kind, Kind::of_another);
    EXPECT_EQ(judged(answer("AA|RST77")).kind, Kind::of_another);
    EXPECT_EQ(judged(answer("AA|"), "").kind, Kind::accepted); // a copy of a message that had none
}

TEST(LinkAnswer, ReadsWhatReceiversWrite) {
    EXPECT_EQ(judged("\nMSH|^~\\&|A|B|C|D|20310101||ACK|1|P|2.5\nMSA|AA|RST7\n").kind, Kind::accepted);
    EXPECT_EQ(judged("MSH|^~\\&|A|B|C|D|20310101||ACK|1|P|2.5\r\nMSA| AA | RST7 ").kind, Kind::accepted);
    EXPECT_EQ(judged("MSH#*~\\&#A#B#C#D#20310101##ACK#1#P#2.5\rMSA#AA#RST7\r").kind, Kind::accepted);
    EXPECT_EQ(judged("MSH|^~\\&|A|B|C|D|20310101||ACK|1|P|2.5\rSFT|x\rMSA|AA|RST7\r").kind, Kind::accepted);
}

TEST(LinkAnswer, IsNoneWithoutAnMsa) {
    for (const char* bytes :
         {"", "\x06", "OK", "MSH|^~\\&|A|B|C|D|20310101||ACK|1|P|2.5\r", "MSH", "HTTP/1.1 400 Bad Request\r\n\r\n"}) {
        EXPECT_EQ(judged(bytes).kind, Kind::no_answer) << bytes;
    }
}

TEST(LinkAnswer, NotesCodesAndPlacesAndNoWords) {
    EXPECT_EQ(
        judged(answer("AE|RST7|Mary Miller is unknown", "ERR||PID^1^3|204^Unknown key^HL70357|E||||Mary Miller\r"))
            .note,
        "AE 204 PID^1^3");
    EXPECT_EQ(judged(answer("AR|RST7|x", "ERR|PID^1^5^102&Data type error&HL70357\r")).note, "AR 102");
    EXPECT_EQ(judged(answer("AE|RST7", "ERR||Mary Miller|Mary^x|E\r")).note, "AE");
    EXPECT_EQ(judged(answer("AE|RST7", "ERR||PID^Miller|12345678901|E\r")).note, "AE");
    EXPECT_EQ(judged(answer("Mary|RST7")).note, "an unknown code in MSA-1");
}

TEST(LinkAnswer, KnowsWhatItSent) {
    EXPECT_EQ(control_id_of("MSH|^~\\&|A|B|C|D|20310101||SIU^S12|RST7|P|2.5\rPID|1"), "RST7");
    EXPECT_EQ(control_id_of("\n MSH|^~\\&|A|B|C|D|20310101||SIU^S12| x^1 |P|2.5\nPID|1"), "x^1");
    EXPECT_EQ(control_id_of("MSH|^~\\&|A|B|C|D|20310101|SIU^S12|early|P|2.5\rPID|1"), "early"); // MSH-8 left out
    EXPECT_EQ(control_id_of("MSH|^~\\&|A"), "");
    EXPECT_EQ(control_id_of("nothing"), "");
}

TEST(LinkAnswer, WaitsUnlessTheMessageSaysNever) {
    const auto asks = [](const std::string& conditions) {
        return asks_for_answer("MSH|^~\\&|A|B|C|D|20310101||SIU^S12|RST7|P|2.5|||" + conditions + "\r");
    };
    EXPECT_TRUE(asks(""));
    EXPECT_TRUE(asks("AL|NE"));
    EXPECT_TRUE(asks("NE|AL"));
    EXPECT_TRUE(asks("ER|NE"));
    EXPECT_FALSE(asks("NE|NE"));
    EXPECT_FALSE(asks("NE"));
    EXPECT_TRUE(asks_for_answer("nothing"));
}

TEST(LinkRoute, IsReadFromTheRow) {
    const auto route = read_route(
        R"({"name": "PACS", "host": "192.0.2.7", "port": 2575, "tls": true, "tls_verify": false, "tls_name": "pacs.example", "tls_ca": "ca.pem",
            "tls_certificate": null, "tls_key": null, "connect_seconds": 5, "answer_seconds": 7, "accept_codes": ["AA"], "on_refusal": "retry", "site": "MAIN"})");
    ASSERT_TRUE(route);
    EXPECT_EQ(route->name + route->host + std::to_string(route->port), "PACS192.0.2.72575");
    EXPECT_TRUE(route->tls && !route->verify && route->retries_refused);
    EXPECT_EQ(route->server_name + route->ca + route->certificate + route->key, "pacs.exampleca.pem");
    EXPECT_EQ(route->connect_time.count() + route->answer_time.count(), 12000);
    EXPECT_EQ(route->accept_codes, std::vector<std::string>{"AA"});
    for (const char* bad : {"", "{}", "[]", R"({"host": "x"})", R"({"host": null, "port": null})"}) {
        EXPECT_FALSE(read_route(bad)) << bad;
    }
}

TEST(LinkRoute, LeadsNotOutOfTheFolder) {
    EXPECT_EQ(file_in("/etc/links", "ca.pem"), "/etc/links/ca.pem");
    for (const char* name : {"", "../x", "..", ".x", "a/b", "/etc/passwd"}) {
        EXPECT_FALSE(file_in("/etc/links", name)) << name;
    }
    EXPECT_FALSE(file_in("", "ca.pem"));
}

} // namespace
