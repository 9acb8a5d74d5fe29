// What a statement gave: rows, or an error that is safe to log.
// Invariant: DbError never holds the server's message or detail, which may quote a patient's data; only codes and
// names.
#pragma once

#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <libpq-fe.h>

#include "db/sqlstate.hpp"
#include "obs/payload.hpp"

namespace radscheduler::sidecar::db {

struct DbError {
    FailureKind kind = FailureKind::transient;
    std::string sqlstate; // empty: the connection was lost, or no connection was to be had
    std::string place;    // "function constraint" as far as the server named them
    std::string reason;   // ours: "connection lost", "no answer within 35s", "the server reported an error" ...
};

class Rows {
public:
    explicit Rows(PGresult* result) : result_(result, &PQclear) {}

    int count() const { return PQntuples(result_.get()); }
    // The text of a column; nothing for SQL NULL. Valid as long as these rows are.
    std::optional<std::string_view> text(int row, int column) const;
    std::string text_or(int row, int column, std::string_view otherwise) const;
    // A number; zero for SQL NULL and for what is none.
    template <class Number = std::int64_t>
    Number number(int row, int column) const {
        Number value{};
        const auto digits = text(row, column).value_or("");
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return value;
    }
    // The bytes of a bytea column; empty for SQL NULL.
    Payload bytes(int row, int column) const;

private:
    std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

using QueryOutcome = std::variant<Rows, DbError>;

// A parameter of a statement. Keeps pointers only: the value must live until the statement is done.
struct Param {
    const char* data = nullptr;
    int length = 0;
    int format = 0; // 0 text, 1 binary

    static Param text(const std::string& value) { return {value.c_str(), static_cast<int>(value.size()), 0}; }
    static Param bytes(std::string_view value) {
        // An empty view may hold a null pointer, which libpq would read as SQL NULL.
        return {value.data() != nullptr ? value.data() : "", static_cast<int>(value.size()), 1};
    }
    static Param null() { return {}; }
};

} // namespace radscheduler::sidecar::db
