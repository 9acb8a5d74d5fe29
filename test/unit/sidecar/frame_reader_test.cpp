// The MLLP reader: every row of the frames table, every split, and random streams against a plain reference.
#include "mllp/frame_reader.hpp"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "mllp/frame_writer.hpp"

namespace {

using namespace radscheduler::sidecar::mllp;
using Kind = FrameEvent::Kind;

struct Seen {
    Kind kind;
    std::string bytes;
    bool operator==(const Seen&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << static_cast<int>(seen.kind) << ":" << testing::PrintToString(seen.bytes);
}

std::span<const std::uint8_t> as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void feed(FrameReader& reader, std::string_view text, std::vector<Seen>& seen) {
    for (const auto& event : reader.feed(as_bytes(text))) {
        seen.push_back({event.kind, std::string(event.bytes.view())});
    }
}

std::vector<Seen> read_all(std::string_view stream, std::size_t cap = 1024) {
    FrameReader reader(cap);
    std::vector<Seen> seen;
    feed(reader, stream, seen);
    return seen;
}

const std::string VT = "\x0b";
const std::string FS = "\x1c";
const std::string end = "\x1c\r";

TEST(FrameReader, TakesTwoMessagesFromOneRead) {
    EXPECT_EQ(read_all(VT + "m1" + end + VT + "m2" + end),
              (std::vector<Seen>{{Kind::message, "m1"}, {Kind::message, "m2"}}));
}

TEST(FrameReader, GivesTheSameMessageForEverySplit) {
    const auto stream = VT + "MSH|a\rPID|b\r" + FS + "x" + end;
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        FrameReader reader(1024);
        std::vector<Seen> seen;
        feed(reader, stream.substr(0, cut), seen);
        feed(reader, stream.substr(cut), seen);
        EXPECT_EQ(seen, (std::vector<Seen>{{Kind::message, "MSH|a\rPID|b\r" + FS + "x"}})) << "cut at " << cut;
    }
}

TEST(FrameReader, TakesAMessageThatArrivesByteByByte) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    const auto stream = VT + "MSH|a" + end;
    for (const char c : stream) {
        feed(reader, {&c, 1}, seen);
    }
    EXPECT_EQ(seen, (std::vector<Seen>{{Kind::message, "MSH|a"}}));
    EXPECT_FALSE(reader.in_frame());
}

TEST(FrameReader, SkipsAndCountsJunkBeforeAFrame) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    feed(reader, "junk" + VT + "m" + end, seen);
    EXPECT_EQ(seen, (std::vector<Seen>{{Kind::outside_frame, ""}, {Kind::message, "m"}}));
    EXPECT_EQ(reader.stats().junk_bytes, 4U);
}

TEST(FrameReader, TellsAboutBytesOutsideFramesOnlyOnce) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    feed(reader, "ab" + VT + "m" + end + "cd" + VT + "n" + end + "e", seen);
    EXPECT_EQ(seen, (std::vector<Seen>{{Kind::outside_frame, ""}, {Kind::message, "m"}, {Kind::message, "n"}}));
    EXPECT_EQ(reader.stats().junk_bytes, 5U);
}

TEST(FrameReader, IgnoresALineFeedAfterAFrame) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    feed(reader, VT + "m" + end + "\n" + VT + "m2" + end + "\r\n", seen);
    EXPECT_EQ(seen, (std::vector<Seen>{{Kind::message, "m"}, {Kind::message, "m2"}}));
    EXPECT_EQ(reader.stats().junk_bytes, 0U);
}

TEST(FrameReader, WaitsForTheReturnAfterTheEndBlock) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    feed(reader, VT + "m" + FS, seen);
    EXPECT_TRUE(seen.empty());
    EXPECT_TRUE(reader.in_frame());
    feed(reader, "\r", seen);
    EXPECT_EQ(seen, (std::vector<Seen>{{Kind::message, "m"}}));
}

TEST(FrameReader, KeepsALoneEndBlockAsData) {
    EXPECT_EQ(read_all(VT + "a" + FS + "b" + end), (std::vector<Seen>{{Kind::message, "a" + FS + "b"}}));
    EXPECT_EQ(read_all(VT + "a" + FS + FS + "\r"), (std::vector<Seen>{{Kind::message, "a" + FS}}));
    EXPECT_EQ(read_all(VT + FS + "a" + end), (std::vector<Seen>{{Kind::message, FS + "a"}}));
}

TEST(FrameReader, DropsAHalfFrameWhenAnotherBegins) {
    EXPECT_EQ(read_all(VT + "half" + VT + "m" + end),
              (std::vector<Seen>{{Kind::half_frame, "half"}, {Kind::message, "m"}}));
}

TEST(FrameReader, RestartsAfterAnEndBlockToo) {
    EXPECT_EQ(read_all(VT + "half" + FS + VT + "m" + end),
              (std::vector<Seen>{{Kind::half_frame, "half" + FS}, {Kind::message, "m"}}));
}

TEST(FrameReader, DoesNotReportADoubledStartAsHalfFrame) {
    EXPECT_EQ(read_all(VT + VT + "m" + end), (std::vector<Seen>{{Kind::message, "m"}}));
}

TEST(FrameReader, HandsOutAndCountsEmptyFrames) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    feed(reader, VT + end + VT + end + VT + "m" + end, seen);
    EXPECT_EQ(seen, (std::vector<Seen>{{Kind::message, ""}, {Kind::message, ""}, {Kind::message, "m"}}));
    EXPECT_EQ(reader.stats().empty_frames, 2U);
}

TEST(FrameReader, KeepsEveryOtherByteOfAMessage) {
    std::string body;
    for (int value = 0; value < 256; ++value) {
        if (value != 0x0b) {
            body += static_cast<char>(value);
        }
    }
    EXPECT_EQ(read_all(VT + body + end), (std::vector<Seen>{{Kind::message, body}}));
}

TEST(FrameReader, RecognisesHttpOnAFreshConnection) {
    for (const std::string method : {"GET", "POST", "PUT", "HEAD", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}) {
        const auto seen = read_all(method + " / HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_EQ(seen, (std::vector<Seen>{{Kind::speaks_http, method + " "}}));
    }
    EXPECT_EQ(read_all("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (std::vector<Seen>{{Kind::speaks_http, "PRI * HTTP"}}));
}

TEST(FrameReader, RecognisesHttpThatArrivesByteByByte) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    for (const char c : std::string("GET / HTTP/1.1\r\n")) {
        feed(reader, {&c, 1}, seen);
    }
    EXPECT_EQ(seen, (std::vector<Seen>{{Kind::speaks_http, "GET "}}));
    EXPECT_TRUE(reader.closed());
}

TEST(FrameReader, RecognisesTlsOnAFreshConnection) {
    EXPECT_EQ(read_all(std::string("\x16\x03\x01\x02\x00\x01", 6)),
              (std::vector<Seen>{{Kind::speaks_tls, "\x16\x03"}}));
}

TEST(FrameReader, TakesWordsOfHttpInsideAndBetweenFramesForWhatTheyAre) {
    EXPECT_EQ(read_all(VT + "GET / HTTP/1.1" + end), (std::vector<Seen>{{Kind::message, "GET / HTTP/1.1"}}));
    EXPECT_EQ(read_all(VT + "m" + end + "GET " + VT + "n" + end),
              (std::vector<Seen>{{Kind::message, "m"}, {Kind::outside_frame, ""}, {Kind::message, "n"}}));
    EXPECT_EQ(read_all("GE" + VT + "n" + end), (std::vector<Seen>{{Kind::message, "n"}}));
}

TEST(FrameReader, AcceptsAFrameOfExactlyTheCap) {
    EXPECT_EQ(read_all(VT + std::string(16, 'x') + end, 16),
              (std::vector<Seen>{{Kind::message, std::string(16, 'x')}}));
}

TEST(FrameReader, EndsAtAFrameOverTheCap) {
    EXPECT_EQ(read_all(VT + "m" + end + VT + std::string(17, 'x') + end + VT + "n" + end, 16),
              (std::vector<Seen>{{Kind::message, "m"}, {Kind::too_large, std::string(16, 'x')}}));
}

TEST(FrameReader, CountsAnEndBlockThatIsDataAgainstTheCap) {
    EXPECT_EQ(read_all(VT + std::string(16, 'x') + FS + "y", 16),
              (std::vector<Seen>{{Kind::too_large, std::string(16, 'x')}}));
}

TEST(FrameReader, KeepsNoMoreThanTheCapOfAnEndlessFrame) {
    constexpr std::size_t cap = 4096;
    FrameReader reader(cap);
    std::vector<Seen> seen;
    feed(reader, VT, seen);
    const std::string piece(1000, 'x');
    for (int i = 0; i < 1000; ++i) {
        feed(reader, piece, seen);
        EXPECT_LE(reader.pending(), cap);
    }
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].kind, Kind::too_large);
    EXPECT_EQ(reader.pending(), 0U);
}

TEST(FrameReader, HandsOutAnUnfinishedFrameAtTheEnd) {
    FrameReader reader(1024);
    std::vector<Seen> seen;
    feed(reader, VT + "half", seen);
    EXPECT_TRUE(reader.in_frame());
    EXPECT_EQ(std::string(reader.take_pending().view()), "half");
    EXPECT_FALSE(reader.in_frame());
}

TEST(FrameWriter, RoundTripsThroughTheReader) {
    const std::string message = "MSH|^~\\&|a\rMSA|AA|1\r";
    EXPECT_EQ(framed(message), VT + message + end);
    EXPECT_EQ(read_all(framed(message)), (std::vector<Seen>{{Kind::message, message}}));
}

// What the reader must do, written without states: look at the whole stream at once.
std::vector<std::string> reference_messages(const std::string& stream) {
    std::vector<std::string> messages;
    std::size_t at = 0;
    while (true) {
        auto start = stream.find(VT, at);
        if (start == std::string::npos) {
            return messages;
        }
        const auto stop = stream.find(end, start);
        if (stop == std::string::npos) {
            return messages;
        }
        start = stream.rfind(VT, stop); // the last start before the end wins
        messages.push_back(stream.substr(start + 1, stop - start - 1));
        at = stop + 2;
    }
}

TEST(FrameReader, AgreesWithTheReferenceOnRandomStreamsInRandomPieces) {
    std::mt19937 random(20240115);
    const std::string alphabet = "\x0b\x1c\r\nAB";
    for (int round = 0; round < 20000; ++round) {
        std::string stream;
        for (auto length = random() % 40; length > 0; --length) {
            stream += alphabet[random() % alphabet.size()];
        }
        FrameReader reader(1024);
        std::vector<Seen> seen;
        for (std::size_t at = 0; at < stream.size();) {
            const auto size = 1 + random() % 7;
            feed(reader, std::string_view(stream).substr(at, size), seen);
            at += size;
        }
        std::vector<std::string> messages;
        for (const auto& event : seen) {
            if (event.kind == Kind::message) {
                messages.push_back(event.bytes);
            }
        }
        ASSERT_EQ(messages, reference_messages(stream)) << testing::PrintToString(stream);
    }
}

TEST(FrameReader, SaysWhereEachFrameBegan) {
    const std::string stream =
        "ab" + VT + "m1" + end + "\n" + VT + "half" + VT + "m2" + end + VT + std::string(20, 'x');
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        FrameReader reader(10);
        std::vector<std::pair<Kind, std::uint64_t>> seen;
        for (const auto& part : {stream.substr(0, cut), stream.substr(cut)}) {
            for (const auto& event : reader.feed(as_bytes(part))) {
                seen.emplace_back(event.kind, event.offset);
            }
        }
        EXPECT_EQ(seen, (std::vector<std::pair<Kind, std::uint64_t>>{{Kind::outside_frame, 0},
                                                                     {Kind::message, 2},
                                                                     {Kind::half_frame, 8},
                                                                     {Kind::message, 13},
                                                                     {Kind::too_large, 18}}))
            << "cut at " << cut;
        EXPECT_EQ(reader.stats().frames, 4U);
    }
}

} // namespace
