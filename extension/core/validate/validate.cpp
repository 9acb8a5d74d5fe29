// One pass over the segments: name, place in the structure, fields.
#include "radscheduler/validate.hpp"

#include "../scan.hpp"
#include "../segment_group.hpp"
#include "field_check.hpp"
#include "finding_list.hpp"
#include "radscheduler/header.hpp"
#include "siu_structure.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace radscheduler {

namespace {

// How often each well-formed name has come; keyed by its three letters, so that no text can make it slow.
class Occurrences {
public:
    std::size_t next(std::string_view name) {
        const auto letter = [name](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(name[i])}; };
        return ++seen_[letter(0) << 16 | letter(1) << 8 | letter(2)];
    }

private:
    std::unordered_map<std::uint32_t, std::size_t> seen_;
};

std::string_view header_component(const Message& message, std::uint32_t field, std::size_t component) {
    std::string_view part;
    split_part(header_field(message, field), message.delimiters().component, component, part);
    return part;
}

bool is_batch_segment(std::string_view name) {
    return name == "FHS" || name == "BHS" || name == "BTS" || name == "FTS";
}

class Validation {
public:
    explicit Validation(const Message& message)
        : message_(message), version_(version_of(header_component(message, 12, 1))),
          fields_(findings_, message.delimiters(), version_) {
        if (header_component(message, 9, 1) == "SIU") siu_.emplace(findings_);
    }

    std::vector<Finding> run() {
        std::string_view rest = message_.text();
        while (!rest.empty() && !findings_.full()) {
            const std::string_view line = take_line(rest);
            ++number_;
            if (!line.empty()) segment(line);
        }
        if (!has_header_) {
            findings_.error({"MSH"}, fault::kSequence, "The text has no MSH; an HL7 message begins with one.");
        }
        if (siu_ && !findings_.full()) siu_->end();
        return findings_.take();
    }

private:
    void segment(std::string_view line) {
        const std::string_view name = line.substr(0, line.find(message_.delimiters().field));
        if (!is_segment_name(name)) {
            findings_.error({}, fault::kSequence,
                            "Segment " + std::to_string(number_) +
                                " of the message has no valid name (a capital and two capitals or digits); a line "
                                "end inside a field is the usual cause, send it as an escape.");
            return;
        }
        const Place place{name, occurrences_.next(name)};
        if (is_batch_segment(name)) {
            findings_.error(place, fault::kSequence,
                            std::string(name) + " belongs to a batch; split the batch and check its messages.");
        } else if (name == "MSH") {
            header(place);
        } else if (siu_) {
            siu_->segment(place);
        }
        if (name == "SCH" && version_ != Version::v23) identity(place, line);
        fields_.segment(place, line);
    }

    void header(const Place& place) {
        if (has_header_) {
            findings_.error(place, fault::kSequence,
                            "MSH stands in the message a second time; send each message on its own.");
        }
        has_header_ = true;
    }

    // From 2.3.1 on SCH-1 and SCH-2 are both conditional: one of them has to identify the appointment.
    void identity(Place place, std::string_view line) {
        for (const std::size_t field : {2U, 3U}) {
            std::string_view text;
            if (split_part(line, message_.delimiters().field, field, text) && !text.empty() && text != "\"\"") return;
        }
        place.field = 1;
        findings_.error(place, fault::kMissing,
                        "Neither SCH-1 (placer appointment id) nor SCH-2 (filler appointment id) was sent; send the id "
                        "of the appointment.");
    }

    const Message& message_;
    Version version_;
    FindingList findings_;
    FieldCheck fields_;
    std::optional<SiuStructure> siu_;
    Occurrences occurrences_;
    std::size_t number_ = 0;
    bool has_header_ = false;
};

} // namespace

std::vector<Finding> validate(const Message& message) {
    return Validation(message).run();
}

} // namespace radscheduler
