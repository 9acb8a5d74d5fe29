// Real messages from many projects, when a folder of them lies beside the repository: each is read or refused with a
// reason, and a reading is always valid JSON in valid UTF-8.
#include "radscheduler/ack.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/validate.hpp"
#include "radscheduler/value.hpp"
#include "support.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace radscheduler {
namespace {

class Corpus : public testing::Test {
protected:
    void SetUp() override {
        folder_ = test::beside_repository("RADSCHED_CORPUS", "shared/corpus");
        if (!folder_) GTEST_SKIP() << "No corpus here; set RADSCHED_CORPUS to a folder of .hl7 files.";
    }

    template <class Visit>
    void each_file(Visit visit) {
        int files = 0;
        for (const auto& entry : std::filesystem::directory_iterator(*folder_)) {
            if (entry.path().extension() != ".hl7") continue;
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
            SCOPED_TRACE(entry.path().filename().string());
            visit(bytes);
            ++files;
        }
        EXPECT_GT(files, 0);
    }

    std::optional<std::filesystem::path> folder_;
};

TEST_F(Corpus, EveryFileIsReadOrRefusedWithAReason) {
    int read = 0;
    int refused = 0;
    each_file([&](const std::string& bytes) {
        const Result<std::string> canonical = normalize(bytes);
        if (!canonical) {
            EXPECT_FALSE(canonical.error().text.empty());
            ++refused;
            return;
        }
        const Result<Message> raw = Message::open(*canonical);
        if (!raw) {
            EXPECT_FALSE(raw.error().text.empty());
            EXPECT_FALSE(raw.error().path.empty());
            ++refused;
            return;
        }
        const std::string text = to_utf8(*canonical, header_field(*raw, 18)).text;
        const Message message = *Message::open(text);
        for (const bool lenient : {true, false}) {
            const std::string json = to_json(read_siu(message, {.lenient = lenient}));
            EXPECT_TRUE(is_valid_utf8(json));
            EXPECT_TRUE(nlohmann::json::accept(json));
        }
        AckRequest request;
        request.original = &*raw;
        request.timestamp = "20260101120000";
        request.control_id = "ACK1";
        const std::string ack = build_ack(request);
        EXPECT_LE(ack.size(), kMaxAckBytes);
        const Result<std::string> again = normalize(ack);
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, ack);
        ++read;
    });
    RecordProperty("read", read);
    RecordProperty("refused", refused);
    EXPECT_GT(read, 10 * refused);
}

TEST_F(Corpus, SchedulingMessagesWithAnIdAndAStartAreUnderstood) {
    int started = 0;
    each_file([&](const std::string& bytes) {
        const Result<std::string> canonical = normalize(bytes);
        if (!canonical || canonical->find("SIU^") == std::string::npos) return;
        const Result<Message> message = Message::open(*canonical);
        if (!message) return;
        const SiuReading reading = read_siu(*message);
        if (reading.header.message_code != "SIU") return;
        ASSERT_TRUE(reading.schedule);
        if (reading.error) {
            EXPECT_EQ(reading.error->code, "101") << reading.error->text;
            return;
        }
        if (reading.schedule->starts_at.has_value()) {
            ++started;
            EXPECT_TRUE(reading.schedule->duration_minutes) << "a start without any duration";
        }
    });
    EXPECT_GT(started, 10);
}

TEST_F(Corpus, FindingsNeverRepeatAName) {
    constexpr std::size_t kShortName = 3;
    std::size_t findings = 0;
    std::size_t names = 0;
    each_file([&](const std::string& bytes) {
        const Result<std::string> canonical = normalize(bytes);
        const Result<Message> raw = canonical ? Message::open(*canonical) : Result<Message>(canonical.error());
        if (!raw) return;
        const std::string text = to_utf8(*canonical, header_field(*raw, 18)).text;
        const Message message = *Message::open(text);
        const std::vector<Finding> list = validate(message);
        findings += list.size();
        Path path = *Path::parse("PID[*]-5[*].1");
        for (path.component = 1; path.component <= 8; ++path.component) {
            for (const Value& name : get_all(message, path)) {
                if (name.state != State::value || name.raw.size() <= kShortName) continue;
                ++names;
                for (const Finding& finding : list)
                    EXPECT_EQ(finding.text.find(name.raw), std::string::npos) << finding.code << ' ' << finding.path;
            }
        }
    });
    EXPECT_GT(findings, 100U);
    EXPECT_GT(names, 100U);
}

} // namespace
} // namespace radscheduler
