// Who may come in at a listener, and for whom a certificate may speak.
#include "mllp/listener.hpp"

#include <gtest/gtest.h>

#include "mllp/batch_file.hpp"
#include "mllp/quarantine.hpp"

namespace {

using namespace radscheduler::sidecar::mllp;
using namespace std::chrono_literals;
using radscheduler::sidecar::Payload;

TEST(Listener, KnowsNetworks) {
    for (const char* good : {"10.1.0.0/16", "192.0.2.7", "fd00::/8", "::1", "0.0.0.0/0"}) {
        EXPECT_TRUE(is_network(good)) << good;
    }
    for (const char* bad : {"", "10.1.0.0/33", "example.org", "10.1", "fd00::/129", "10.1.0.0/", "/8"}) {
        EXPECT_FALSE(is_network(bad)) << bad;
    }
}

TEST(Listener, LetsInWhoIsInOneOfTheNetworks) {
    const std::vector<std::string> networks{"10.1.0.0/16", "192.0.2.7", "fd00::/8"};
    for (const char* in : {"10.1.255.255", "192.0.2.7", "fd12::1", "::ffff:10.1.2.3"}) {
        EXPECT_TRUE(is_in(networks, in)) << in;
    }
    for (const char* out : {"10.2.0.1", "192.0.2.8", "fe80::1", "::ffff:10.2.0.1", "", "nowhere"}) {
        EXPECT_FALSE(is_in(networks, out)) << out;
    }
    EXPECT_TRUE(is_in({"0.0.0.0/0"}, "203.0.113.9"));
    EXPECT_FALSE(is_in({"0.0.0.0/0"}, "fd00::1"));
}

TEST(Listener, ReadsTheSenderOfAMessage) {
    EXPECT_EQ(sender_of("MSH|^~\\&|RIS^1.2^ISO|NORTH|X|Y\rPID|"), "RIS|NORTH");
    EXPECT_EQ(sender_of("\r\nMSH$*~\\&$RIS*9$NORTH*9$"), "RIS|NORTH");
    EXPECT_EQ(sender_of("MSH|^~\\&|RIS\rPID|1|NORTH"), "RIS|");
    EXPECT_EQ(sender_of("MSH|^~\\&|\r"), "|");
    for (const char* none : {"", "MSH", "MSH|^~\\", "PID|1||NORTH|X", "FHS|^~\\&|RIS|NORTH"}) {
        EXPECT_EQ(sender_of(none), "") << none;
    }
}

TEST(Listener, LetsACertificateSpeakForItsSendersOnly) {
    Listener listener;
    listener.senders = {{"ris.example", {"RIS|NORTH", "RIS|SOUTH"}}, {"sha256:ab", {"PACS|NORTH"}}};
    EXPECT_TRUE(may_send(listener, {"sha256:cd", "ris.example"}, "RIS|SOUTH"));
    EXPECT_TRUE(may_send(listener, {"sha256:ab"}, "PACS|NORTH"));
    EXPECT_FALSE(may_send(listener, {"ris.example"}, "PACS|NORTH"));
    EXPECT_FALSE(may_send(listener, {"other.example"}, "RIS|NORTH"));
    EXPECT_FALSE(may_send(listener, {}, "RIS|NORTH"));
    EXPECT_FALSE(may_send(listener, {"ris.example"}, ""));
}

TEST(Listener, ReadsAListOfThem) {
    const auto read = read_listeners(
        R"([{"name": "north", "port": 8662, "site": "NORTH", "profile": {"order_by": "arrival"}, "networks": ["10.1.0.0/16"],
        "tls": {"certificate": "c.pem", "key": "k.pem", "client_ca": "ca.pem"},
        "senders": {"ris.example": ["RIS|NORTH"]}}, {"name": "south", "host": "127.0.0.1", "port": 8663}])");
    ASSERT_EQ(read.problem, "");
    ASSERT_EQ(read.list.size(), 2U);
    EXPECT_EQ(read.list[0].site, "NORTH");
    EXPECT_EQ(read.list[0].profile, R"({"order_by":"arrival"})");
    EXPECT_EQ(read.list[1].profile, "");
    EXPECT_EQ(read.list[0].tls.client_ca, "ca.pem");
    EXPECT_EQ(read.list[0].senders.at("ris.example"), std::vector<std::string>{"RIS|NORTH"});
    EXPECT_EQ(read.list[1].host, "127.0.0.1");
    EXPECT_TRUE(read.list[1].tls.certificate.empty());
}

TEST(Listener, SaysWhatIsWrongWithAList) {
    const std::vector<std::pair<const char*, const char*>> wrong{
        {"{}", "array"},
        {"[{", "array"},
        {"[1]", "object"},
        {R"([{"port": 1}])", "name"},
        {R"([{"name": "a"}])", "port"},
        {R"([{"name": "a", "port": 70000}])", "port"},
        {R"([{"name": "a", "port": 1, "host": "example.org"}])", "host"},
        {R"([{"name": "a", "port": 1, "nets": []}])", "nets"},
        {R"([{"name": "a", "port": 1, "networks": ["10.1"]}])", "10.1"},
        {R"([{"name": "a", "port": 1, "networks": "10.1.0.0/16"}])", "networks"},
        {R"([{"name": "a", "port": 1, "tls": {"certificate": "c"}}])", "key"},
        {R"([{"name": "a", "port": 1, "profile": "seed_naming"}])", "profile"},
        {R"([{"name": "a", "port": 1, "profile": {"override_requests": true}}])", "override_requests"},
        {R"([{"name": "a", "port": 1, "senders": {"x": ["A|B"]}}])", "client_ca"},
        {R"([{"name": "a", "port": 1}, {"name": "a", "port": 2}])", "two listeners"},
    };
    for (const auto& [json, word] : wrong) {
        EXPECT_NE(read_listeners(json).problem.find(word), std::string::npos)
            << json << " gave: " << read_listeners(json).problem;
    }
}

TEST(BatchFile, GivesEachMessageOfABatch) {
    const auto messages =
        messages_of(Payload("FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|A|B\rPID|1\rMSH|^~\\&|A|C\rBTS|2\rFTS|1\r"));
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].view(), "MSH|^~\\&|A|B\rPID|1\r");
    EXPECT_EQ(messages[1].view(), "MSH|^~\\&|A|C\r");
}

TEST(BatchFile, LeavesEverythingElseAsItCame) {
    for (const char* frame : {"", "MSH|^~\\&|A\nPID|1", "BHS|^~\\&|A\rBTS|0\r", "rubbish"}) {
        const auto messages = messages_of(Payload(frame));
        ASSERT_EQ(messages.size(), 1U);
        EXPECT_EQ(messages[0].view(), frame);
    }
}

TEST(Allowance, FillsUpAgainOverTime) {
    Allowance allowance(2, 1);
    const std::chrono::steady_clock::time_point now{1h};
    EXPECT_TRUE(allowance.take(now));
    EXPECT_TRUE(allowance.take(now));
    EXPECT_FALSE(allowance.take(now));
    EXPECT_FALSE(allowance.take(now + 900ms));
    EXPECT_TRUE(allowance.take(now + 1100ms));
    EXPECT_TRUE(allowance.take(now + 1h));
    EXPECT_TRUE(allowance.take(now + 1h));
    EXPECT_FALSE(allowance.take(now + 1h));
}

} // namespace
