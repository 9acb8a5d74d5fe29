// Accept and Accept-Encoding; compressed answers; traces; pages of other origins.
#include "http/negotiation.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "http/cors.hpp"
#include "http/gzip.hpp"
#include "http/trace.hpp"

namespace {

using namespace radscheduler::sidecar::http;

TEST(Negotiation, TakesWhatIsNamedOrAll) {
    for (const auto* accept :
         {"", "*/*", "application/json", "Application/JSON;q=0.5", "text/html, application/*;q=0.1",
          "text/html,*/*;q=0.8", "application/json; charset=utf-8"}) {
        EXPECT_TRUE(accepts(accept, "application/json")) << accept;
    }
    for (const auto* accept :
         {"text/html", "application/xml", "application/json;q=0", "*/*;q=0", "*/*, application/json;q=0.000",
          "application/*, application/json;q=0", ",", "nonsense"}) {
        EXPECT_FALSE(accepts(accept, "application/json")) << accept;
    }
}

TEST(Negotiation, KnowsWhatEachKindOfAnswerIs) {
    EXPECT_TRUE(accepts_answer("application/problem+json", AnswerKind::json));
    EXPECT_FALSE(accepts_answer("text/plain", AnswerKind::json));
    EXPECT_TRUE(accepts_answer("application/hl7-v2", AnswerKind::hl7_or_json));
    EXPECT_TRUE(accepts_answer("text/plain;version=0.0.4", AnswerKind::text));
    EXPECT_TRUE(accepts_answer("text/html", AnswerKind::html));
    EXPECT_FALSE(accepts_answer("application/json", AnswerKind::html));
    EXPECT_TRUE(accepts_answer("application/yaml", AnswerKind::yaml));
}

TEST(Negotiation, CompressesOnlyForWhoSaysSo) {
    for (const auto* header : {"gzip", "br, gzip;q=0.5", "*", "X-GZIP"}) {
        EXPECT_TRUE(accepts_gzip(header)) << header;
    }
    for (const auto* header : {"", "br", "identity", "gzip;q=0", "*, gzip;q=0"}) {
        EXPECT_FALSE(accepts_gzip(header)) << header;
    }
}

TEST(Gzip, UnpacksToWhatWasPacked) {
    std::string text;
    for (int i = 0; i < 5000; ++i) {
        text += "{\"id\": " + std::to_string(i) + "}";
    }
    const auto packed = gzip(text);
    ASSERT_FALSE(packed.empty());
    EXPECT_LT(packed.size(), text.size() / 2);
    z_stream stream{};
    ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    std::string unpacked(text.size() + 1, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
    stream.avail_out = static_cast<uInt>(unpacked.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    unpacked.resize(stream.total_out);
    inflateEnd(&stream);
    EXPECT_EQ(unpacked, text);
}

TEST(Trace, IsTheOneThatWasSent) {
    EXPECT_EQ(trace_id_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
              "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT_EQ(trace_id_of("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"),
              "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(Trace, IsBegunWhereNoneIsWellFormed) {
    for (const auto* sent : {"", "x", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                             "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                             "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                             "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
        const auto id = trace_id_of(sent);
        EXPECT_EQ(id.size(), 32U);
        EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
        EXPECT_EQ(std::string(sent).find(id), std::string::npos);
        EXPECT_NE(id, trace_id_of(sent));
    }
}

TEST(Cors, ReadsAListOfOrigins) {
    const auto origins = read_origins("https://console.example.org, http://localhost:5173");
    EXPECT_EQ(origins.problem, "");
    EXPECT_EQ(origins.list.size(), 2U);
    for (const auto* bad :
         {"*", "console.example.org", "https://", "https://a/b", "https://A.example", "null", "https://a,,https://b"}) {
        EXPECT_NE(read_origins(bad).problem, "") << bad;
    }
}

TEST(Cors, AnswersListedOriginsOnly) {
    const std::vector<std::string> list{"https://a.example"};
    EXPECT_TRUE(cors_headers({}, "https://a.example").empty());
    const auto other = cors_headers(list, "https://b.example");
    ASSERT_EQ(other.size(), 1U);
    EXPECT_EQ(other[0].first, "Vary");
    EXPECT_EQ(cors_headers(list, "https://a.example").at(1).second, "https://a.example");
    EXPECT_TRUE(preflight_headers(list, "https://a.example.evil", "GET").empty());
    EXPECT_EQ(preflight_headers(list, "https://a.example", "GET, HEAD").at(0).second, "GET, HEAD");
}

} // namespace
