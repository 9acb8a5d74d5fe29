// Environment and flags to settings: precedence, every problem told at once, secrets never shown.
#include "config/load.hpp"

#include <gtest/gtest.h>

#include "config/options.hpp"
#include "config/values.hpp"

namespace {

using namespace radscheduler::sidecar;
using namespace std::chrono_literals;

const Environment good{{"DATABASE_URL", "postgresql://rad:s3cret@localhost/rad"}};

Environment with(Environment extra) {
    extra.insert(good.begin(), good.end());
    return extra;
}

bool mentions(const std::vector<std::string>& sentences, const std::string& word) {
    for (const auto& sentence : sentences) {
        if (sentence.find(word) != std::string::npos) {
            return true;
        }
    }
    return false;
}

TEST(Config, HasTheGuidesDefaults) {
    const auto loaded = load(good, {});
    ASSERT_TRUE(loaded.problems.empty());
    EXPECT_EQ(loaded.settings.mllp_port, 8661);
    EXPECT_EQ(loaded.settings.http_port, 3001);
    EXPECT_EQ(loaded.settings.mllp_host, "0.0.0.0");
    EXPECT_EQ(loaded.settings.mllp_max_frame, 16U * 1024 * 1024);
    EXPECT_EQ(loaded.settings.db_connections, 8U);
    EXPECT_FALSE(loaded.settings.redis_url);
}

TEST(Config, LetsFlagsWinOverTheEnvironment) {
    const auto loaded =
        load(with({{"RADSCHED_MLLP_PORT", "9001"}, {"RADSCHED_HTTP_PORT", "9002"}}), {"--mllp-port", "9003"});
    ASSERT_TRUE(loaded.problems.empty());
    EXPECT_EQ(loaded.settings.mllp_port, 9003);
    EXPECT_EQ(loaded.settings.http_port, 9002);
}

TEST(Config, TakesAnEmptyVariableForAnUnsetOne) {
    const auto loaded = load(with({{"REDIS_URL", ""}, {"RADSCHED_MLLP_PORT", ""}}), {});
    ASSERT_TRUE(loaded.problems.empty());
    EXPECT_FALSE(loaded.settings.redis_url);
    EXPECT_EQ(loaded.settings.mllp_port, 8661);
}

TEST(Config, TellsAllProblemsAtOnceEachNamingItsVariable) {
    const auto loaded = load({{"RADSCHED_MLLP_PORT", "70000"},
                              {"RADSCHED_HTTP_HOST", "example.org"},
                              {"RADSCHED_MLLP_MAX_FRAME", "lots"},
                              {"RADSCHED_DB_CONNECTIONS", "0"},
                              {"RADSCHED_DRAIN_TIMEOUT", "-1"},
                              {"RADSCHED_LOG_LEVEL", "loud"},
                              {"NODE_ENV", "prod"},
                              {"REDIS_URL", "cache:6379"}},
                             {});
    EXPECT_EQ(loaded.problems.size(), 9U);
    for (const auto* variable :
         {"DATABASE_URL", "RADSCHED_MLLP_PORT", "RADSCHED_HTTP_HOST", "RADSCHED_MLLP_MAX_FRAME",
          "RADSCHED_DB_CONNECTIONS", "RADSCHED_DRAIN_TIMEOUT", "RADSCHED_LOG_LEVEL", "NODE_ENV", "REDIS_URL"}) {
        EXPECT_TRUE(mentions(loaded.problems, variable)) << variable;
    }
    EXPECT_TRUE(mentions(loaded.problems, "'70000'"));
    EXPECT_TRUE(mentions(loaded.problems, "from 1 to 65535"));
    EXPECT_TRUE(mentions(loaded.problems, "rediss:// for TLS"));
}

TEST(Config, NeverQuotesASecretThatIsWrong) {
    const auto loaded = load({{"DATABASE_URL", "postgresql://u:hunter2@[x/y"}, {"REDIS_URL", "http://:hunter2@h"}}, {});
    EXPECT_EQ(loaded.problems.size(), 2U);
    EXPECT_FALSE(mentions(loaded.problems, "hunter2"));
}

TEST(Config, RefusesOnePortForBothListeners) {
    EXPECT_TRUE(mentions(load(with({{"RADSCHED_MLLP_PORT", "3001"}}), {}).problems, "both 3001"));
}

TEST(Config, WarnsAboutAMistypedVariable) {
    const auto loaded = load(with({{"RADSCHED_MLLP_PROT", "1"}}), {});
    EXPECT_TRUE(loaded.problems.empty());
    EXPECT_TRUE(mentions(loaded.warnings, "did you mean RADSCHED_MLLP_PORT?"));
}

TEST(Config, RefusesAnUnknownFlag) {
    EXPECT_EQ(load(good, {"--mlp-port", "1"}).problems.size(), 1U);
}

TEST(Config, KnowsItsWishes) {
    EXPECT_EQ(load(good, {}).wish, Wish::run);
    EXPECT_EQ(load(good, {"--check-config"}).wish, Wish::check_config);
    EXPECT_EQ(load(good, {"--print-config"}).wish, Wish::print_config);
    EXPECT_EQ(load({}, {"--version"}).wish, Wish::show_text);
    const auto help = load({}, {"--help"});
    EXPECT_EQ(help.wish, Wish::show_text);
    for (const auto& option : options()) {
        EXPECT_NE(help.text.find(option.variable), std::string::npos) << option.variable;
    }
}

TEST(Config, PrintsEveryVariableAndNoSecret) {
    const auto loaded = load(with({{"REDIS_URL", "redis://:hunter2@cache:6380/2"},
                                   {"JWT_SECRET", "hunter2-hunter2"},
                                   {"TWILIO_AUTH_TOKEN", "hunter2"},
                                   {"ANTHROPIC_API_KEY", "sk-hunter2"}}),
                             {});
    const auto text = print_config(loaded.settings);
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
    EXPECT_EQ(text.find("s3cret"), std::string::npos);
    EXPECT_NE(text.find("DATABASE_URL=postgresql://rad:***@localhost/rad"), std::string::npos);
    EXPECT_NE(text.find("REDIS_URL=redis://:***@cache:6380/2"), std::string::npos);
    for (const auto& option : options()) {
        EXPECT_NE(text.find(option.variable + "="), std::string::npos) << option.variable;
    }
}

TEST(Config, WhatIsPrintedCanBeReadBack) {
    const auto first = print_config(
        load(with({{"RADSCHED_DB_STATEMENT_TIMEOUT", "250ms"}, {"RADSCHED_MLLP_MAX_FRAME", "3MiB"}}), {}).settings);
    Environment again = good;
    std::size_t from = 0;
    while (from < first.size()) {
        const auto end = first.find('\n', from);
        const auto line = first.substr(from, end - from);
        const auto equals = line.find('=');
        if (line.rfind("RADSCHED_", 0) == 0) {
            again[line.substr(0, equals)] = line.substr(equals + 1);
        }
        from = end + 1;
    }
    const auto loaded = load(again, {});
    EXPECT_TRUE(loaded.problems.empty());
    EXPECT_EQ(print_config(loaded.settings), first);
}

TEST(Config, MasksUrls) {
    EXPECT_EQ(redact_url("postgresql://u:p@h:1/d?sslpassword=x&host=/tmp"),
              "postgresql://u:***@h:1/d?sslpassword=***&host=/tmp");
    EXPECT_EQ(redact_url("postgresql://u:p@ss@h/d"), "postgresql://u:***@h/d");
    EXPECT_EQ(redact_url("host=h password=p"), "(set)");
    EXPECT_EQ(redact_url(""), "");
}

TEST(Config, SaysWhatIsOff) {
    const auto off = optional_parts(load(good, {}).settings);
    ASSERT_EQ(off.size(), 3U);
    for (const auto& part : off) {
        EXPECT_FALSE(part.on) << part.name;
    }
    const auto on = optional_parts(load(with({{"REDIS_URL", "redis://:pw@cache"}}), {}).settings);
    EXPECT_TRUE(on[0].on);
    EXPECT_EQ(on[0].sentence.find("pw"), std::string::npos);
    const auto half = optional_parts(load(with({{"TWILIO_ACCOUNT_SID", "AC1"}}), {}).settings);
    EXPECT_NE(half[1].sentence.find("only some"), std::string::npos);
}

TEST(Values, ReadsSizes) {
    EXPECT_EQ(read_size("1048576"), 1048576U);
    EXPECT_EQ(read_size("16MiB"), 16U << 20U);
    EXPECT_EQ(read_size("16 mib"), 16U << 20U);
    EXPECT_EQ(read_size("2k"), 2048U);
    for (const auto* bad : {"", "MiB", "1.5MiB", "-1", "1TiB", "99999999999GiB", "0x10"}) {
        EXPECT_FALSE(read_size(bad)) << bad;
    }
}

TEST(Values, ReadsDurations) {
    EXPECT_EQ(read_duration("30"), 30s);
    EXPECT_EQ(read_duration("250ms"), 250ms);
    EXPECT_EQ(read_duration("5m"), 5min);
    EXPECT_EQ(read_duration("24h"), 24h);
    for (const auto* bad : {"", "s", "1d", "-1s", "1.5s", "9999999999999999h"}) {
        EXPECT_FALSE(read_duration(bad)) << bad;
    }
}

} // namespace
