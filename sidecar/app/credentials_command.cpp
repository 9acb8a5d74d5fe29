#include "app/credentials_command.hpp"

#include <cstdio>
#include <iostream>
#include <memory>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <libpq-fe.h>

#include "auth/password.hpp"

namespace radscheduler::sidecar {
namespace {

constexpr int exit_refused = 1;
constexpr int exit_bad_command = 2;

struct Failure {
    std::string sentence;
};

std::string read_line(const char* prompt) {
    const bool terminal = isatty(STDIN_FILENO) == 1;
    termios before{};
    if (terminal) {
        std::fputs(prompt, stderr);
        tcgetattr(STDIN_FILENO, &before);
        auto silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    std::string line;
    std::getline(std::cin, line);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        std::fputs("\n", stderr);
    }
    return line;
}

std::string read_password_hash() {
    const auto password = read_line("Password: ");
    if (isatty(STDIN_FILENO) == 1 && read_line("Once more: ") != password) {
        throw Failure{"The two passwords differ. Nothing was changed."};
    }
    if (const auto problem = auth::password_problem(password); !problem.empty()) {
        throw Failure{problem + " Nothing was changed."};
    }
    auto hash = auth::hash_password(password);
    if (hash.empty()) {
        throw Failure{"The system gives no randomness for a hash."};
    }
    return hash;
}

class Database {
public:
    Database(const std::string& url, const std::string& site) : connection_(PQconnectdb(url.c_str()), &PQfinish) {
        if (PQstatus(connection_.get()) != CONNECTION_OK) {
            throw Failure{"PostgreSQL cannot be reached. Check DATABASE_URL and the server."};
        }
        if (!site.empty()) {
            ask("SELECT pg_catalog.set_config('radscheduler.site', $1, false)", {site});
        }
    }

    // Prints each row as one line of tab-separated columns.
    void ask(const char* sql, const std::vector<std::optional<std::string>>& values, bool print = false) {
        std::vector<const char*> params;
        for (const auto& value : values) {
            params.push_back(value ? value->c_str() : nullptr);
        }
        const std::unique_ptr<PGresult, decltype(&PQclear)> result(
            PQexecParams(connection_.get(), sql, static_cast<int>(params.size()), nullptr, params.data(), nullptr,
                         nullptr, 0),
            &PQclear);
        if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
            const auto part = [&](int field) {
                const char* text = PQresultErrorField(result.get(), field);
                return text != nullptr ? std::string(text) : std::string();
            };
            const auto hint = part(PG_DIAG_MESSAGE_HINT);
            throw Failure{part(PG_DIAG_MESSAGE_PRIMARY) + (hint.empty() ? "." : ". " + hint)};
        }
        for (int row = 0; print && row < PQntuples(result.get()); ++row) {
            for (int column = 0; column < PQnfields(result.get()); ++column) {
                std::printf("%s%s", column == 0 ? "" : "\t", PQgetvalue(result.get(), row, column));
            }
            std::puts("");
        }
    }

private:
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

} // namespace

std::optional<int> credentials_command(const Environment& environment, const std::vector<std::string>& arguments) {
    if (arguments.empty() || (arguments.front() != "user" && arguments.front() != "key")) {
        return std::nullopt;
    }
    CLI::App app{"Users and API keys of the HTTP API, in the database of DATABASE_URL."};
    app.name("radschedulerd");
    app.require_subcommand(1);
    std::string login;
    std::string name;
    std::string id;
    std::string scopes;
    std::string site;
    std::string expires;
    const auto with_site = [&site](CLI::App* command) {
        command->add_option("--site", site, "code of the site; needed where the database role may use several");
        return command;
    };
    const auto add_login = [&login](CLI::App* command) {
        command->add_option("login", login, "what the user signs in with")->required();
    };
    auto* user = app.add_subcommand("user", "people who sign in")->require_subcommand(1);
    auto* user_add = with_site(user->add_subcommand("add", "record a user; the password is read from standard input"));
    add_login(user_add);
    user_add->add_option("name", name, "name for people")->required();
    user_add->add_option("--scopes", scopes, "what the user may do, separated by commas")->required();
    auto* user_password = with_site(user->add_subcommand("password", "set a new password, read from standard input"));
    add_login(user_password);
    auto* user_scopes = with_site(user->add_subcommand("scopes", "say anew what a user may do"));
    add_login(user_scopes);
    user_scopes->add_option("--scopes", scopes, "separated by commas")->required();
    auto* user_close = with_site(user->add_subcommand("close", "keep a user out; tokens stop counting at once"));
    add_login(user_close);
    auto* user_open = with_site(user->add_subcommand("open", "let a closed user in again"));
    add_login(user_open);
    auto* user_list = with_site(user->add_subcommand("list", "login, name, scopes and standing of all"));
    auto* key = app.add_subcommand("key", "keys of programs")->require_subcommand(1);
    auto* key_add = with_site(key->add_subcommand("add", "make a key and print it, this once"));
    key_add->add_option("name", name, "what it is for")->required();
    key_add->add_option("--scopes", scopes, "what it may do, separated by commas")->required();
    key_add->add_option("--expires", expires, "time to live, such as '90 days'; without, it does not expire");
    auto* key_revoke = with_site(key->add_subcommand("revoke", "make a key count no longer"));
    key_revoke->add_option("id", id, "the eight characters after rsk_")->required();
    auto* key_list = with_site(key->add_subcommand("list", "id, name, scopes, last use and standing of all"));
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend()); // the order CLI11 wants
        app.parse(reversed);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_bad_command;
    }
    try {
        const auto url = environment.find("DATABASE_URL");
        if (url == environment.end() || url->second.empty()) {
            throw Failure{"DATABASE_URL is not set: it must say where PostgreSQL is, as a role of kind admin."};
        }
        Database database(url->second, site);
        if (user_add->parsed()) {
            database.ask("SELECT radscheduler.create_user($1, $2, $3, pg_catalog.string_to_array($4, ','))",
                         {login, name, read_password_hash(), scopes});
        } else if (user_password->parsed()) {
            database.ask("SELECT radscheduler.set_user($1, password_hash => $2)", {login, read_password_hash()});
        } else if (user_scopes->parsed()) {
            database.ask("SELECT radscheduler.set_user($1, scopes => pg_catalog.string_to_array($2, ','))",
                         {login, scopes});
        } else if (user_close->parsed() || user_open->parsed()) {
            database.ask("SELECT radscheduler.set_user($1, active => $2::boolean)",
                         {login, user_open->parsed() ? "true" : "false"});
        } else if (user_list->parsed()) {
            database.ask("SELECT u.login, u.name, pg_catalog.array_to_string(u.scopes, ','), CASE WHEN u.is_active "
                         "THEN 'open' ELSE 'closed' END "
                         "FROM radscheduler.app_user AS u ORDER BY u.login",
                         {}, true);
        } else if (key_add->parsed()) {
            database.ask("SELECT radscheduler.create_api_key($1, pg_catalog.string_to_array($2, ','), $3::interval)",
                         {name, scopes, expires.empty() ? std::optional<std::string>() : expires}, true);
        } else if (key_revoke->parsed()) {
            database.ask("SELECT radscheduler.revoke_api_key($1)", {id});
        } else if (key_list->parsed()) {
            database.ask("SELECT k.key_id, k.name, pg_catalog.array_to_string(k.scopes, ','), "
                         "coalesce(k.last_used_at::text, 'never used'), "
                         "CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= pg_catalog.now() THEN "
                         "'expired' ELSE 'good' END "
                         "FROM radscheduler.api_key AS k ORDER BY k.created_at",
                         {}, true);
        }
        return 0;
    } catch (const Failure& failure) {
        std::fprintf(stderr, "error: %s\n", failure.sentence.c_str());
        return exit_refused;
    }
}

} // namespace radscheduler::sidecar
