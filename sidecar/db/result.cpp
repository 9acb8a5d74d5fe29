#include "db/result.hpp"

namespace radscheduler::sidecar::db {

std::optional<std::string_view> Rows::text(int row, int column) const {
    if (PQgetisnull(result_.get(), row, column) != 0) {
        return std::nullopt;
    }
    return std::string_view(PQgetvalue(result_.get(), row, column),
                            static_cast<std::size_t>(PQgetlength(result_.get(), row, column)));
}

std::string Rows::text_or(int row, int column, std::string_view otherwise) const {
    return std::string(text(row, column).value_or(otherwise));
}

Payload Rows::bytes(int row, int column) const {
    const auto value = text(row, column);
    if (!value) {
        return {};
    }
    std::size_t length = 0;
    const std::unique_ptr<unsigned char, decltype(&PQfreemem)> decoded(
        PQunescapeBytea(reinterpret_cast<const unsigned char*>(value->data()), &length), &PQfreemem);
    if (!decoded) {
        throw std::bad_alloc();
    }
    return Payload(std::string(reinterpret_cast<const char*>(decoded.get()), length));
}

} // namespace radscheduler::sidecar::db
