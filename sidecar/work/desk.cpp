#include "work/desk.hpp"

#include <array>
#include <cstdlib>
#include <unistd.h>

#include <spdlog/fmt/fmt.h>

#include "db/array.hpp"
#include "net/backoff.hpp"

namespace radscheduler::sidecar::work {
namespace {

const db::RunOptions patient{Milliseconds(2000), db::WhenDown::wait, Milliseconds(0)};

std::string own_name() {
    std::array<char, 65> host{};
    ::gethostname(host.data(), host.size() - 1);
    return fmt::format("radschedulerd {} {} {:016x}", host.data(), ::getpid(), random_number());
}

// Rows of claim_tasks() in their order: those of one queue follow each other.
std::vector<Run> runs_of(const db::Rows& rows) {
    std::vector<Run> runs;
    for (int row = 0; row < rows.count(); ++row) {
        auto kind = rows.text_or(row, 2, "");
        auto queue = rows.text_or(row, 3, "");
        ClaimedTask task;
        task.id = {rows.text_or(row, 0, ""), rows.text_or(row, 1, "")};
        task.attempts = rows.number<int>(row, 4);
        task.payload = Payload(rows.text_or(row, 6, "{}"));
        task.link = rows.text_or(row, 7, "");
        const bool follows = !runs.empty() && runs.back().kind == kind && runs.back().queue == queue &&
                             runs.back().tasks.back().id.site == task.id.site;
        if (!follows) {
            Run run;
            run.kind = std::move(kind);
            run.queue = std::move(queue);
            run.lease = Milliseconds(static_cast<std::int64_t>(1000 * std::atof(rows.text_or(row, 5, "60").c_str())));
            runs.push_back(std::move(run));
        }
        runs.back().tasks.push_back(std::move(task));
    }
    return runs;
}

} // namespace

Desk::Desk(std::shared_ptr<db::Pool> pool) : pool_(std::move(pool)), worker_(own_name()) {}

Task<std::variant<std::vector<Run>, db::DbError>> Desk::claim(std::string kind, std::size_t queues) {
    const auto kinds = "{" + kind + "}";
    const auto count = std::to_string(queues);
    const std::array<db::Param, 3> params{db::Param::text(worker_), db::Param::text(kinds), db::Param::text(count)};
    auto result = co_await db::run(pool_, db::StatementId::claim_tasks, params, patient);
    if (auto* error = std::get_if<db::DbError>(&result)) {
        co_return std::move(*error);
    }
    co_return runs_of(std::get<db::Rows>(result));
}

Task<std::variant<Begun, db::DbError>> Desk::begin(TaskId task) {
    const std::array<db::Param, 3> params{db::Param::text(worker_), db::Param::text(task.site),
                                          db::Param::text(task.number)};
    auto result = co_await db::run(pool_, db::StatementId::begin_task, params, patient);
    if (auto* error = std::get_if<db::DbError>(&result)) {
        co_return std::move(*error);
    }
    const auto& rows = std::get<db::Rows>(result);
    Begun begun;
    if (rows.count() == 1 && rows.text(0, 0)) {
        begun.attempts = std::atoi(rows.text_or(0, 0, "0").c_str());
        if (rows.text(0, 1)) {
            begun.message = rows.bytes(0, 1);
        }
    }
    co_return begun;
}

Task<std::variant<bool, db::DbError>> Desk::finish(TaskId task, int attempts, std::string event, std::string note) {
    const auto tried = std::to_string(attempts);
    const std::array<db::Param, 6> params{
        db::Param::text(worker_), db::Param::text(task.site), db::Param::text(task.number),
        db::Param::text(tried),   db::Param::text(event),     note.empty() ? db::Param::null() : db::Param::text(note)};
    auto result = co_await db::run(pool_, db::StatementId::finish_task, params, patient);
    if (auto* error = std::get_if<db::DbError>(&result)) {
        co_return std::move(*error);
    }
    co_return std::get<db::Rows>(result).text_or(0, 0, "f") == "t";
}

Task<std::optional<db::DbError>> Desk::release(std::vector<std::string> numbers) {
    const auto list = db::array_text(numbers);
    const std::array<db::Param, 2> params{db::Param::text(worker_), db::Param::text(list)};
    auto result = co_await db::run(pool_, db::StatementId::release_tasks, params, patient);
    auto* error = std::get_if<db::DbError>(&result);
    co_return error != nullptr ? std::optional(std::move(*error)) : std::nullopt;
}

Task<std::optional<db::DbError>> Desk::sign_of_life(std::vector<std::string> numbers) {
    const auto list = db::array_text(numbers);
    const std::array<db::Param, 2> params{db::Param::text(worker_), db::Param::text(list)};
    auto result = co_await db::run(pool_, db::StatementId::extend_leases, params, patient);
    auto* error = std::get_if<db::DbError>(&result);
    co_return error != nullptr ? std::optional(std::move(*error)) : std::nullopt;
}

Task<std::optional<std::vector<TaskCount>>> Desk::count() {
    auto result = co_await db::run(pool_, db::StatementId::count_tasks, {}, patient);
    const auto* rows = std::get_if<db::Rows>(&result);
    if (rows == nullptr) {
        co_return std::nullopt;
    }
    std::vector<TaskCount> counts;
    counts.reserve(static_cast<std::size_t>(rows->count()));
    for (int row = 0; row < rows->count(); ++row) {
        counts.push_back({rows->text_or(row, 0, ""), rows->text_or(row, 1, ""),
                          std::atof(rows->text_or(row, 2, "0").c_str()),
                          std::atof(rows->text_or(row, 3, "0").c_str())});
    }
    co_return counts;
}

} // namespace radscheduler::sidecar::work
