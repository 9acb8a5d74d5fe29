// Reading CX.
#include "identifiers.hpp"

#include "words.hpp"

namespace radscheduler::siu {

namespace {

class Reader {
public:
    Reader(Context& context, const std::string& segment, const SegmentFields& fields)
        : context_(context), segment_(segment), fields_(fields) {}

    void add(std::size_t field) {
        for (std::size_t i = 1; i <= fields_.repetitions(field); ++i) {
            SiuIdentifier identifier;
            identifier.value = fields_.text(field, 1, i);
            if (!identifier.value.has_value()) continue;
            if (is_placeholder(identifier.value.value)) {
                const std::string path = segment_ + "-" + std::to_string(field) + "[" + std::to_string(i) + "]";
                context_.warn("ID_PLACEHOLDER", path,
                              path + " holds a word for \"none\" where an identifier belongs; it was left out.");
                continue;
            }
            identifier.authority = fields_.subtext(field, 4, 1, i);
            if (!identifier.authority.has_value()) identifier.authority = fields_.subtext(field, 4, 2, i);
            identifier.type = fields_.text(field, 5, i);
            identifiers_.push_back(std::move(identifier));
        }
    }

    bool found() const { return !identifiers_.empty(); }
    std::vector<SiuIdentifier> take() { return std::move(identifiers_); }

private:
    Context& context_;
    const std::string& segment_;
    const SegmentFields& fields_;
    std::vector<SiuIdentifier> identifiers_;
};

} // namespace

std::vector<SiuIdentifier> read_identifiers(Context& context, const std::string& segment, const SegmentFields& fields,
                                            std::size_t list, std::initializer_list<std::size_t> older) {
    Reader reader(context, segment, fields);
    reader.add(list);
    for (const std::size_t* field = older.begin(); !reader.found() && field != older.end(); ++field)
        reader.add(*field);
    return reader.take();
}

} // namespace radscheduler::siu
