"""The commands of the README and of the pages that it leads to, and who runs each of them."""

import json
import re
import subprocess
from typing import Any

from tests.architecture import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
# The README first, by their paths from the project's root.
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
}
# What CONTRIBUTING.md shows is for who changes the project.
TEXT = "\n".join(text for path, text in PAGES.items() if path != "CONTRIBUTING.md")
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]

# What tests/test_end_to_end.py runs as it is written, in the project that it has finished; in this
# order. By the beginning of the command, as are the tables below.
IN_THE_PROJECT = (
    "make help",
    "dvc repro",
    "dvc dag",
    "dvc metrics show",
    "dvc metrics diff",
    "dvc plots show",
    "python -m pipelines.summary",
    "python -m benchmarks.yardstick",
    "python -m benchmarks.label_issues",
    "python -m benchmarks.training",
    "dvc exp run -S train.epochs=3",
)
RUN_BY = {
    "make serve": "tests/test_end_to_end.py::test_the_service_gives_the_verdict_of_the_bundle",
    "curl": "tests/test_end_to_end.py::test_the_service_answers_the_readmes_curl",
    "python -m benchmarks.attack": "tests/benchmarks/test_attack.py"
    "::test_the_service_survives_every_attack",
    "python -m benchmarks.serving": "tests/benchmarks/test_serving.py"
    "::test_the_whole_comparison_runs",
    "python -m benchmarks.lamp": "tests/benchmarks/test_lamp.py"
    "::test_a_dimmer_lamp_is_heard_of_and_the_usual_one_is_not",
    "python -m benchmarks.promotions": "tests/benchmarks/test_promotions.py"
    "::test_nothing_is_dropped_or_mixed_while_two_are_promoted_and_one_is_rolled_back_to",
    "python -m benchmarks.cam": "tests/benchmarks/test_cam.py"
    "::test_the_command_prints_how_many_times_as_long_the_loop_takes",
    "python -m benchmarks.anomaly": "tests/benchmarks/test_anomaly.py"
    "::test_both_see_the_same_features_and_tell_squares_from_texture",
    "python -m benchmarks.dashboard": "tests/dashboard/test_browser.py"
    "::test_arrows_go_through_views_and_parts_and_every_wait_is_measured",
    "python -m benchmarks.review_order": "tests/benchmarks/test_review_order.py"
    "::test_the_command_reads_a_line_its_suspects_and_its_truth",
    "python -m benchmarks.scale log": "tests/benchmarks/test_scale.py"
    "::test_every_query_of_the_pages_is_timed",
    "python -m benchmarks.scale stages": "tests/benchmarks/test_scale.py"
    "::test_the_stages_see_every_drawn_view",
    "python -m benchmarks.scale loops": "tests/benchmarks/test_scale.py"
    "::test_loops_over_views_are_timed_by_who_shares_them",
    "python -m benchmarks.scale duplicates": "tests/benchmarks/test_scale.py"
    "::test_the_search_for_near_duplicates_is_timed_where_it_finds_what_was_drawn",
    "python -m benchmarks.scale registry": "tests/benchmarks/test_scale.py"
    "::test_the_registry_is_asked_what_the_commands_ask",
    "make repro": "tests/pipelines/test_dvc_state.py"
    "::test_dvc_goes_on_after_a_power_cut_and_computes_nothing_twice",
    "make sbom": "tests/pipelines/test_supply_chain.py"
    "::test_the_bill_of_materials_names_every_pin_with_its_hashes",
    "make licences": "tests/pipelines/test_supply_chain.py"
    "::test_the_licence_of_every_requirement_is_allowed_and_no_exception_is_idle",
    "python -m benchmarks.faults": "tests/benchmarks/test_faults.py"
    "::test_nothing_is_lost_by_kills_at_random_moments",
    "python -m pipelines.shipping.follow": "tests/pipelines/test_follow.py"
    "::test_another_host_serves_what_is_promoted_signed_and_whole_and_nothing_else",
    "make follow": "tests/pipelines/test_follow.py"
    "::test_in_a_checkout_its_lines_are_followed_by_the_names_that_their_params_give",
    "export MLFLOW_TRACKING_URI=http://plant.example:5000": "tests/pipelines/test_follow.py"
    "::test_another_host_serves_what_is_promoted_signed_and_whole_and_nothing_else",
    "dvc remote add": "tests/pipelines/doctor/test_servers.py"
    "::test_a_remote_in_s3_lacks_the_data_until_it_was_pushed",
    "make key": "tests/pipelines/test_signing.py"
    "::test_a_champion_of_before_there_were_keys_is_signed_by_the_command",
    "make sign": "tests/pipelines/test_signing.py"
    "::test_a_champion_of_before_there_were_keys_is_signed_by_the_command",
    "export KNURL_SIGNING_KEY=line.key": "tests/pipelines/test_promote.py"
    "::test_what_is_promoted_and_rolled_back_to_is_signed_where_a_key_is_named",
    "make promote": "tests/test_end_to_end.py"
    "::test_a_clone_that_has_pulled_serves_the_same_card_after_one_command",
    "make bento": "tests/pipelines/test_promote.py"
    "::test_every_move_packs_what_then_serves_with_its_card",
    "python -m pipelines.runs.pool docker": "tests/pipelines/test_pools.py"
    "::test_a_run_in_docker_gets_the_image_and_the_checkout",
    "KNURL_PROJECT=$PWD prefect": "tests/pipelines/test_pools.py"
    "::test_both_work_where_the_checkout_is_mounted",
    "bentoml build": "tests/pipelines/test_bento.py"
    "::test_bentoml_alone_packs_the_project_as_it_is_committed",
    "make registry": "tests/test_end_to_end.py::test_the_registry_opens",
    "make line": "tests/pipelines/test_new_line.py"
    "::test_two_lines_in_one_checkout_are_made_and_run_each_for_itself",
    "git add lines/tiles": "tests/pipelines/test_new_line.py"
    "::test_two_lines_in_one_checkout_are_made_and_run_each_for_itself",
    "make repro LINE=tiles": "tests/test_makefile.py::test_with_a_line_a_verb_runs_in_its_folder",
    "make promote LINE=tiles": "tests/test_makefile.py::test_with_a_line_a_verb_runs_in_its_folder",
    "make adopt LINE=tiles": "tests/test_makefile.py"
    "::test_with_a_line_adopt_finds_the_folder_from_where_make_was_called",
    "cd lines/tiles": "tests/pipelines/test_new_line.py"
    "::test_a_command_in_the_folder_of_a_line_is_about_that_line",
    "curl -F part_id=T-5": "tests/serving/plant/test_lines.py"
    "::test_each_line_is_judged_by_its_own_champion_and_the_root_as_without_lines",
    "curl http://127.0.0.1:3000/lines": "tests/serving/plant/test_lines.py"
    "::test_a_line_without_a_champion_is_told_and_takes_no_other_out_of_service",
    "make adopt": "tests/pipelines/test_adopt.py"
    "::test_the_real_dvc_tracks_the_data_and_brings_the_old_back",
    "make flow": "tests/pipelines/test_retrain.py"
    "::test_a_run_brings_every_stage_up_to_date_and_publishes_what_it_did",
    "make schedule": "tests/pipelines/test_schedule.py"
    "::test_a_run_of_the_clock_completes_within_three_minutes_and_all_ends_with_ctrl_c",
    "export PREFECT_API_URL=http://127.0.0.1:4200/api": "tests/pipelines/test_schedule.py"
    "::test_a_run_of_the_clock_completes_within_three_minutes_and_all_ends_with_ctrl_c",
    "prefect deployment run": "tests/pipelines/test_schedule.py"
    "::test_a_run_of_the_clock_completes_within_three_minutes_and_all_ends_with_ctrl_c",
    "prefect worker start --pool line": "tests/pipelines/test_schedule.py"
    "::test_a_run_of_the_clock_completes_within_three_minutes_and_all_ends_with_ctrl_c",
    "make doctor": "tests/pipelines/doctor/test_project.py"
    "::test_what_an_empty_folder_lacks_is_named_with_what_brings_it",
    "make evidence": "tests/pipelines/trials/test_evidence.py"
    "::test_every_part_counts_once_and_what_was_found_stands_below_the_summary",
    "make drill": "tests/pipelines/trials/test_drill.py"
    "::test_of_a_class_that_was_never_shown_its_verdicts_and_scores_are_told",
    "make seeds": "tests/pipelines/trials/test_seeds.py"
    "::test_the_numbers_of_each_seed_stand_side_by_side",
    "make study": "tests/pipelines/trials/test_study.py"
    "::test_classes_and_heat_of_each_recipe_stand_side_by_side",
    "make watch": "tests/pipelines/test_watch.py"
    "::test_the_command_prints_the_rates_and_ends_well_where_nothing_has_changed",
    "python -m pipelines.watch": "tests/pipelines/test_watch.py"
    "::test_a_lamp_that_is_30_percent_dimmer_is_noticed_within_100_parts_and_not_before",
    "python -m pipelines.take_feedback": "tests/pipelines/test_take_feedback.py"
    "::test_a_picture_and_its_label_stand_in_the_next_manifest_and_can_be_taken_back",
    "make dashboard": "tests/dashboard/test_app.py::test_the_app_opens_on_the_explorer",
    "python -m pipelines.intake.inbox": "tests/pipelines/test_inbox.py"
    "::test_good_files_enter_the_data_others_are_kept_with_the_reason_and_all_can_be_taken_back",
    "python -m pipelines.lots.inspect_lot": "tests/pipelines/lots/test_inspect_lot.py"
    "::test_the_command_judges_a_lot_and_refuses_to_go_on_with_another_champion",
    "python -m pipelines.lots.watch_folder": "tests/pipelines/lots/test_watch_folder.py"
    "::test_nothing_is_lost_or_told_twice_by_kills_at_random_moments",
    "python -m pipelines.lots.mqtt": "tests/pipelines/lots/mqtt/test_connector.py"
    "::test_killed_between_verdict_and_acknowledgement_nothing_is_lost_or_judged_twice",
    "python -m benchmarks.lots": "tests/benchmarks/test_lots.py"
    "::test_the_command_prints_speed_and_memory_for_one_and_two_workers",
    "make sheet": "tests/samples/test_contact_sheet.py::test_the_sheet_fits_into_a_readme",
    "python -m pipelines.promote": "tests/pipelines/test_promote.py"
    "::test_a_dry_run_moves_nothing_and_counts_as_a_use_of_the_fold",
    "python -m pipelines.rollback": "tests/pipelines/test_promote.py"
    "::test_an_equal_challenger_is_promoted_and_rollback_brings_the_old_one_back",
    "python -m pipelines.status": "tests/pipelines/test_promote.py"
    "::test_an_alias_that_was_moved_in_mlflow_takes_effect_with_the_gates_result",
    "make deps": "tests/stages/test_dependencies.py::test_sources_are_written_anew_and_data_stays",
    "python -m benchmarks.thresholds": "tests/benchmarks/test_thresholds.py"
    "::test_the_command_prints_a_row_for_each_rule_and_writes_what_the_kept_one_did",
    "make setup": ".ci/run",  # every verb that it runs needs the environment first
    "make test": ".ci/run",
    "make lint": ".ci/run",
}
NOT_RUN = {
    "make audit": "asks a database of vulnerabilities over the network",
    "make plant": "installs a part of what `make test` installs",
    "make demo": "installs anew; the programs it calls are run, with 40 parts, end to end",
    "make test-fast": "a part of `make test`",
    "make backbones": "trains eleven networks, as `make test` does two of",
    "export BENTOML_HOME=$PWD/.state/bentoml": "as bentoml containerize",
    "bentoml containerize": "wants Docker; the Dockerfile that it builds is checked by a test",
    "export KNURL_POSTGRES_PASSWORD=...": "as docker compose",
    "docker compose up": "wants Docker; tests/test_compose.py checks it, and tests/servers.py "
    "runs the commands of its servers",
    "docker build": "wants Docker; tests/pipelines/test_pools.py checks what the image must have",
    "make lock": "asks the package registry for every version there is",
    "prefect worker start --pool docker": "wants prefect-docker and Docker; what it would begin is "
    "rendered in tests/pipelines/test_pools.py",
}


def runner(command: str) -> str:
    """The test that runs a command, or why none does; empty where nothing is known of it."""
    here = dict.fromkeys(IN_THE_PROJECT, "tests/test_end_to_end.py::test_the_readmes_command_works")
    table = here | RUN_BY | NOT_RUN
    fitting = [start for start in table if (command + " ").startswith(start + " ")]
    return table[max(fitting, key=len)] if fitting else ""


def committed(path: str) -> str:
    """A file as the last commit has it, for a run of one's own may have changed it since."""
    command = ["git", "show", f"HEAD:{path}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def numbers() -> dict[str, str]:
    """The rows of the README's first table, by their heads, as the metrics of the run tell them.

    What a row says beside (the yardsticks, the time) is not among the metrics of the test fold.
    """
    test: dict[str, Any] = json.loads(committed("metrics/assemble.json"))
    leakage = json.loads(committed("metrics/split.json"))["leakage"]
    total, cam, network = test["totals"], test["cam"], test["classifier"]
    flipped = sum(row["flipped"] for row in test["parity"].values())
    escapes, overkill = total["escape_upper_bound"], total["overkill_upper_bound"]
    n_rivets = f"{test['anomaly_rivet_n_defective']} and {test['anomaly_rivet_n_normal']} parts"
    auroc = "under-press AUROC, normals only seen in training"
    hottest = "views in which the CAM is hottest on the defect, of those named rightly "
    hottest += "(pointing game)"
    leaked = "what a split of views at random would add (leakage price; macro-F1, HOG on whole "
    leaked += "frames)"
    named = "macro-F1 on the knurling, 4 classes (under-press does not show there)"
    matched = test["matched"]
    return {
        "escapes (defective parts passed)": f"{total['escapes']} | {total['n_defective']} "
        f"defective parts | at most {100 * escapes:.1f} % |",
        "overkill (normal parts rejected)": f"{total['overkill']} | {total['n_normal']} "
        f"normal parts | at most {100 * overkill:.1f} % |",
        "sent to review": f"{total['reviewed']} | {total['n_parts']} parts |",
        named: f"{network['macro_f1']:.3f} | "
        f"{network['n_parts']} parts | at least {network['macro_f1_lower_bound']:.3f}",
        "AUROC of the fused score, defective against normal": f"{test['fused_auroc']:.3f} | "
        f"{total['n_parts']} parts | at least {test['fused_auroc_lower_bound']:.3f}; matched by "
        f"camera {matched['camera']['auroc']:.3f}, by place on the line "
        f"{matched['part_order']['auroc']:.3f} |",
        auroc: f"{test['anomaly_rivet_auroc']:.3f} | {n_rivets} | "
        f"at least {test['anomaly_rivet_auroc_lower_bound']:.3f} |",
        hottest: f"{cam['pointing']:.3f} | "
        f"{cam['n']} views of {cam['n_parts']} parts | at least {cam['pointing_lower_bound']:.3f}",
        "verdicts flipped between torch and ONNX Runtime or OpenVINO": f"{flipped:.0f} | ",
        leaked: f"{leakage['price']:.3f} | ",
    }
