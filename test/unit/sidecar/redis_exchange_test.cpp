// RESP and one pipelined exchange, without a socket.
#include "redis/exchange.hpp"

#include <gtest/gtest.h>

namespace {

using namespace radscheduler::sidecar::redis;

TEST(Resp, EncodesCommandsWithAnyBytes) {
    EXPECT_EQ(encode({"PUBLISH", "ch", std::string("a\0\r\n", 4)}),
              "*3\r\n$7\r\nPUBLISH\r\n$2\r\nch\r\n$4\r\n" + std::string("a\0\r\n", 4) + "\r\n");
}

TEST(Resp, ReadsEveryKindOfReplyByteByByte) {
    const std::string stream =
        "+OK\r\n-NOAUTH Authentication required.\r\n:42\r\n$5\r\nhe\r\no\r\n$-1\r\n*2\r\n:1\r\n$1\r\nx\r\n";
    RespReader reader;
    std::vector<Reply> replies;
    for (const char c : stream) {
        reader.feed({&c, 1});
        while (auto reply = reader.next()) {
            replies.push_back(std::move(*reply));
        }
    }
    ASSERT_FALSE(reader.broken());
    ASSERT_EQ(replies.size(), 6U);
    EXPECT_EQ(replies[0].kind, Reply::Kind::status);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].kind, Reply::Kind::error);
    EXPECT_EQ(replies[1].error_word(), "NOAUTH");
    EXPECT_EQ(replies[2].number, 42);
    EXPECT_EQ(replies[3].text, "he\r\no");
    EXPECT_EQ(replies[4].kind, Reply::Kind::nil);
    ASSERT_EQ(replies[5].elements.size(), 2U);
    EXPECT_EQ(replies[5].elements[1].text, "x");
}

TEST(Resp, NoticesABrokenStream) {
    RespReader reader;
    reader.feed("HTTP/1.1 400 Bad Request\r\n");
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.broken());
    reader.feed("+OK\r\n");
    EXPECT_FALSE(reader.next());
}

TEST(Exchange, IsDoneWhenEveryCommandHasItsReply) {
    Exchange exchange({{"PUBLISH", "a", "1"}, {"PUBLISH", "b", "2"}});
    EXPECT_EQ(exchange.bytes(), encode({"PUBLISH", "a", "1"}) + encode({"PUBLISH", "b", "2"}));
    EXPECT_FALSE(exchange.done());
    exchange.feed(":1\r\n");
    EXPECT_FALSE(exchange.done());
    exchange.feed(":2\r\n");
    EXPECT_TRUE(exchange.done());
    EXPECT_FALSE(exchange.failed());
    EXPECT_EQ(exchange.total(), 3);
}

TEST(Exchange, FailsOnAnyErrorAndKeepsOnlyItsFirstWord) {
    Exchange exchange({{"PUBLISH", "a", "1"}, {"PUBLISH", "b", "2"}});
    exchange.feed("-NOPERM this user has no permissions to access the 'a' channel\r\n");
    EXPECT_TRUE(exchange.done());
    EXPECT_TRUE(exchange.failed());
    EXPECT_EQ(exchange.error(), "NOPERM");
}

TEST(Exchange, FailsOnABrokenStream) {
    Exchange exchange({{"PING"}});
    exchange.feed("\x16\x03\x01");
    EXPECT_TRUE(exchange.failed());
    EXPECT_EQ(exchange.error(), "PROTOCOL");
}

TEST(Exchange, OpensAConnectionWithWhatTheUrlSays) {
    EXPECT_EQ(opening(read_url("redis://h")), (std::vector<Command>{{"PING"}}));
    EXPECT_EQ(opening(read_url("redis://:pw@h/2")), (std::vector<Command>{{"AUTH", "pw"}, {"SELECT", "2"}, {"PING"}}));
    EXPECT_EQ(opening(read_url("redis://u:pw@h")), (std::vector<Command>{{"AUTH", "u", "pw"}, {"PING"}}));
}

TEST(Exchange, NeverTakesALoadingServerForReady) {
    Exchange exchange(opening(read_url("redis://h")));
    exchange.feed("-LOADING Redis is loading the dataset in memory\r\n");
    EXPECT_TRUE(exchange.failed());
    EXPECT_EQ(exchange.error(), "LOADING");
}

TEST(Exchange, TakesAnEntryThatIsThereAlreadyForDone) {
    Exchange exchange({{"XADD", "s", "7-1", "a", "b"}, {"XADD", "s", "8-1", "a", "b"}});
    exchange.feed("-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n");
    EXPECT_FALSE(exchange.done());
    exchange.feed("$3\r\n8-1\r\n");
    EXPECT_TRUE(exchange.done());
    EXPECT_FALSE(exchange.failed());
    EXPECT_EQ(exchange.repeated(), 1U);
}

TEST(Exchange, TakesOtherErrorsOfAnEntryForErrors) {
    for (const std::string error : {"OOM command not allowed when used memory > 'maxmemory'.",
                                    "READONLY You can't write against a read only replica.",
                                    "ERR The ID specified in XADD must be greater than 0-0", "ERR unknown command",
                                    "WRONGTYPE Operation against a key holding the wrong kind of value"}) {
        Exchange exchange({{"XADD", "s", "7-1", "a", "b"}});
        exchange.feed("-" + error + "\r\n");
        EXPECT_TRUE(exchange.failed()) << error;
        EXPECT_EQ(exchange.repeated(), 0U);
    }
    EXPECT_NE(advice("OOM"), "");
    EXPECT_EQ(advice("ERR"), "");
}

TEST(Resp, KeepsNoMoreThanItsLimitAndMakesNoHugeArrays) {
    RespReader bulk;
    bulk.feed("$500000000\r\n");
    const std::string chunk(1U << 16U, 'x');
    for (int i = 0; i < 17 && !bulk.broken(); ++i) {
        bulk.feed(chunk);
        EXPECT_FALSE(bulk.next());
    }
    EXPECT_TRUE(bulk.broken());
    RespReader array;
    array.feed("*1000000000\r\n");
    EXPECT_FALSE(array.next());
    EXPECT_TRUE(array.broken());
}

} // namespace
