// Reading OBX, AL1 and DG1.
#include "facts.hpp"

#include "../ascii.hpp"
#include "../segment_fields.hpp"
#include "fact_words.hpp"
#include "radscheduler/timestamp.hpp"

#include <initializer_list>
#include <string>
#include <utility>

namespace radscheduler::siu {

namespace {

constexpr std::size_t kMaxFacts = 500; // no real message reaches it

// The first component that holds something.
std::string first_of(const SegmentFields& fields, std::size_t field, std::initializer_list<std::size_t> components) {
    for (const std::size_t component : components) {
        const Text text = fields.text(field, component);
        if (text.has_value()) return text.value;
    }
    return {};
}

class Reader {
public:
    Reader(Context& context, const Delimiters& delimiters) : context_(context), delimiters_(delimiters) {}

    void take(const Segment& segment) {
        const bool observation = segment.name == "OBX";
        const bool allergy = segment.name == "AL1";
        if (!observation && !allergy && segment.name != "DG1") return;
        const SegmentFields fields(segment.text, delimiters_);
        path_ = std::string(segment.name) + "[" + std::to_string(segment.occurrence) + "]";
        if (observation) {
            take_observation(fields);
        } else if (allergy) {
            take_allergy(fields);
        } else {
            take_diagnosis(fields);
        }
    }

    std::vector<SiuFact> finish() { return std::move(facts_); }

private:
    void take_observation(const SegmentFields& fields) {
        const std::string_view kind = observed_kind(fields);
        if (kind.empty()) return;
        const std::string status = upper(fields.text(11).value);
        const bool withdrawn = status == "D" || status == "W";
        if (!withdrawn && !status.empty() && std::string_view("FCUAB").find(status) == std::string_view::npos) {
            context_.warn("FACT_NOT_FINAL", path_ + "-11",
                          "The result is not final, and was not recorded; send it again when it is.");
            return;
        }
        SiuFact fact;
        fact.path = path_;
        fact.kind = kind;
        fact.is_withdrawn = withdrawn;
        fact.observed_at = time_of(fields, 14);
        if (kind == "pregnancy") {
            fact.code = pregnancy_code(
                {fields.text(5, 1).value, fields.text(5, 2).value, fields.text(5, 4).value, fields.text(5, 5).value});
        } else {
            read_number(fields, fact);
        }
        if (fact.code.empty() && fact.value.empty() && !withdrawn) {
            unreadable(5);
            return;
        }
        put(std::move(fact));
    }

    // OBX-3 may hold LOINC in either half, or a code of its own beside a text that says it.
    static std::string_view observed_kind(const SegmentFields& fields) {
        for (const std::size_t component : {1U, 4U}) {
            const std::string_view kind = kind_of_loinc(fields.text(3, component).value);
            if (!kind.empty()) return kind;
        }
        for (const std::size_t component : {1U, 2U, 4U, 5U}) {
            const std::string_view kind = kind_of_words(fields.text(3, component).value);
            if (!kind.empty()) return kind;
        }
        return {};
    }

    // NM: a number; SN: comparator and number; texts: both in one, perhaps with the unit.
    static void read_number(const SegmentFields& fields, SiuFact& fact) {
        const std::string comparator = fields.text(5, 1).value;
        const std::string number = fields.text(5, 2).value;
        Measured measured = measured_of(number.empty() ? comparator : comparator + number);
        fact.unit = first_of(fields, 6, {1, 4});
        if (fact.unit.empty()) fact.unit = std::move(measured.unit);
        fact.code = std::move(measured.comparator);
        fact.value = std::move(measured.number);
    }

    void take_allergy(const SegmentFields& fields) {
        SiuFact fact;
        fact.path = path_;
        fact.kind = "allergy";
        fact.code = first_of(fields, 3, {2, 5, 1, 4});
        // A contraindication that is not named may be one to contrast agents.
        if (fact.code.empty() && upper(fields.text(2).value) == "MC") fact.code = "contrast (type MC)";
        if (fact.code.empty()) return;
        fact.severity = severity_of({fields.text(4, 1).value, fields.text(4, 2).value});
        fact.observed_at = time_of(fields, 6);
        put(std::move(fact));
    }

    void take_diagnosis(const SegmentFields& fields) {
        SiuFact fact;
        fact.path = path_;
        fact.kind = "diagnosis";
        const std::string code = first_of(fields, 3, {1, 4});
        fact.code = is_icd(code) ? code : first_of(fields, 3, {2, 5});
        if (fact.code.empty()) fact.code = fields.text(4).value;
        if (fact.code.empty()) fact.code = code;
        if (fact.code.empty()) return;
        fact.is_withdrawn = upper(fields.text(21).value) == "D";
        fact.observed_at = time_of(fields, 5);
        put(std::move(fact));
    }

    std::string time_of(const SegmentFields& fields, std::size_t field) {
        const std::string text = fields.text(field).value;
        if (text.empty()) return {};
        const Result<Timestamp> stamp = Timestamp::parse(text);
        if (stamp && stamp->has_day()) return stamp->iso();
        if (!stamp) {
            context_.warn("BAD_TIME", path_ + "-" + std::to_string(field),
                          "The time is not one that can be read, and that of the message was taken.");
        }
        return {};
    }

    void unreadable(std::size_t field) {
        context_.warn("FACT_UNREADABLE", path_ + "-" + std::to_string(field),
                      "The value is not understood, and was not recorded; send a number, or a code of the field's.");
    }

    void put(SiuFact&& fact) {
        if (facts_.size() < kMaxFacts) {
            facts_.push_back(std::move(fact));
        } else if (!overflow_) {
            overflow_ = true;
            context_.warn("TOO_MANY_SEGMENTS", path_,
                          "The message tells more about its patient than is read at once; the last was not read.");
        }
    }

    Context& context_;
    const Delimiters& delimiters_;
    std::string path_;
    std::vector<SiuFact> facts_;
    bool overflow_ = false;
};

} // namespace

std::vector<SiuFact> read_facts(Context& context, const Message& message) {
    Reader reader(context, message.delimiters());
    SegmentCursor cursor = message.segments();
    for (Segment segment; cursor.next(segment);) {
        if (segment.name == "MSH" && segment.occurrence == 2) break;
        reader.take(segment);
    }
    return reader.finish();
}

} // namespace radscheduler::siu
