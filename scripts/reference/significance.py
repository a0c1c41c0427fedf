"""Intervals, tests, calibration and thresholds of the statistics crate by numpy, scipy and the rules of evaluate-v2.0.py.

    .cache/reference-venv/bin/python scripts/reference/significance.py
        writes crates/statistics/tests/fixtures/reference.json

The questions are drawn here from a fixed seed. Standard errors come from the matrix definition of CR2 on an
intercept-only regression, bootstrap figures from scipy.stats.bootstrap, p-values from scipy.stats.binomtest,
temperatures from scipy.optimize, thresholds from find_best_thresh of the official script, word for word.
"""

import json
import pathlib
import sys

import numpy
import scipy.linalg
import scipy.optimize
import scipy.stats

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "crates/statistics/tests/fixtures/reference.json"
RESAMPLES = 100_000
random = numpy.random.default_rng(20)


def draw(clusters, exact_match):
    """Cluster ids, and exact match and F1 of two systems, rounded so that the fixture holds all of their digits."""
    sizes = random.integers(1, 8, clusters)
    ids = numpy.repeat(random.permutation(1000)[:clusters], sizes)
    shared = numpy.repeat(random.normal(size=clusters), sizes)
    scores = {"clusters": ids.tolist()}
    for system, rate in (("before", exact_match - 0.05), ("after", exact_match)):
        z = 0.5 * shared + 0.75**0.5 * random.normal(size=len(ids))
        right = (z < scipy.stats.norm.ppf(rate)).astype(float)
        partial = numpy.round(random.uniform(0, 0.9, len(ids)) * random.integers(0, 2, len(ids)), 3)
        scores[system] = {"exact_match": right.tolist(), "f1": numpy.where(right == 1, 1.0, partial).tolist()}
    return scores


def standard_error(ids, values):
    """CR2 of the intercept: X = 1, A_g = (I - H_gg)^-1/2, variance = (X'X)^-1 (sum of X_g'A_g e e' A_g'X_g) (X'X)^-1."""
    n, residuals, meat = len(values), values - values.mean(), 0.0
    for cluster in numpy.unique(ids):
        e = residuals[ids == cluster]
        adjustment = scipy.linalg.fractional_matrix_power(numpy.eye(len(e)) - numpy.full((len(e),) * 2, 1 / n), -0.5)
        meat += (numpy.ones(len(e)) @ adjustment.real @ e) ** 2
    return float(meat**0.5 / n)


def bootstrapped(ids, values):
    """Sorted means of resampled clusters."""
    sums = numpy.array([values[ids == cluster].sum() for cluster in numpy.unique(ids)])
    sizes = numpy.array([(ids == cluster).sum() for cluster in numpy.unique(ids)])
    result = scipy.stats.bootstrap(
        (sums, sizes), lambda sums, sizes, axis: sums.sum(axis) / sizes.sum(axis), paired=True, vectorized=True,
        n_resamples=RESAMPLES, method="percentile", rng=random, batch=1000,
    )
    return numpy.sort(result.bootstrap_distribution)


def estimate(ids, values, is_score):
    ids, values = numpy.array(ids), numpy.array(values)
    clusters, mean, error = len(numpy.unique(ids)), float(values.mean()), standard_error(ids, values)
    t = scipy.stats.t(clusters - 1)
    found = {"mean": mean, "standard_error": error}
    if clusters < 40:
        if is_score:
            logit, on_logit = scipy.special.logit(mean), error / (mean * (1 - mean))
            ends = scipy.special.expit([logit - t.ppf(0.975) * on_logit, logit + t.ppf(0.975) * on_logit]).tolist()
        else:
            ends = [mean - t.ppf(0.975) * error, mean + t.ppf(0.975) * error]
        p_value = 2 * t.sf(abs(mean) / error)
        equivalence = max(t.cdf((-0.1 - mean) / error), t.sf((0.1 - mean) / error))
    else:
        means, inflation = bootstrapped(ids, values), (clusters / (clusters - 1)) ** 0.5
        outward = scipy.stats.norm.cdf(inflation * t.ppf(0.025))
        ends = numpy.quantile(means, [outward, 1 - outward], method="weibull").tolist()
        tail = lambda count: t.cdf(scipy.stats.norm.ppf((count + 1) / (len(means) + 1)) / inflation)
        p_value = 2 * min(tail((means <= 0).sum()), tail((means >= 0).sum()))
        equivalence = max(tail((means <= -0.1).sum()), tail((means >= 0.1).sum()))
    found["interval"] = ends
    if not is_score:
        found |= {"p_value": float(p_value), "equivalence_p_value": float(equivalence)}
    return found


def estimates():
    for clusters, exact_match in ((12, 0.6), (39, 0.8), (120, 0.5)):
        scores = draw(clusters, exact_match)
        for metric in ("exact_match", "f1"):
            before, after = (numpy.array(scores[system][metric]) for system in ("before", "after"))
            yield {
                "clusters": scores["clusters"], "before": before.tolist(), "after": after.tolist(),
                "score": estimate(scores["clusters"], after, True),
                "difference": estimate(scores["clusters"], after - before, False),
            }


def mcnemar():
    for gained, lost in ((0, 0), (1, 0), (5, 5), (3, 9), (9, 3), (40, 17), (250, 180), (4000, 3800), (600, 0)):
        p_value = scipy.stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        yield {"gained": gained, "lost": lost, "p_value": float(p_value)}


def holm(p_values):
    order, corrected, greatest = numpy.argsort(p_values), [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        greatest = max(greatest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = greatest
    return {"p_values": p_values, "corrected": corrected}


def calibration(confidences, scores):
    bins = numpy.clip(numpy.ceil(confidences * 15).astype(int) - 1, 0, 14)
    filled = [(bins == b).sum() and (confidences[bins == b].mean(), scores[bins == b].mean()) or (0, 0) for b in range(15)]
    counts = numpy.bincount(bins, minlength=15)
    # Equal confidences are answered together: a question counts with all of at least its confidence.
    risk = [1 - scores[confidences >= confidence].mean() for confidence in confidences]
    return {
        "counts": counts.tolist(),
        "expected_calibration_error": float(sum(n * abs(c - a) for n, (c, a) in zip(counts, filled)) / counts.sum()),
        "brier_score": float(((confidences - scores) ** 2).mean()),
        "area": float(numpy.mean(risk)),
    }


def temperature():
    questions, folds = 120, 5
    scores = numpy.round(random.normal(size=(questions, 4)) * 3 + [4, 2, 0, 0], 3)
    chosen = scores.argmax(1)
    clusters = numpy.repeat(random.permutation(questions // 4), 4)
    confidence = lambda t: scipy.special.softmax(scores / t, axis=1)[numpy.arange(questions), chosen]
    right = (random.uniform(size=questions) < confidence(2.5)).astype(float)

    def fitted(rows):
        likelihood = lambda t: numpy.where(right == 1, confidence(t), 1 - confidence(t))
        loss = lambda logarithm: -numpy.log(likelihood(numpy.exp(logarithm))[rows]).sum()
        found = scipy.optimize.minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
        return float(numpy.exp(found.x))

    fold = (numpy.arange(questions) // 4) % folds
    crossed = numpy.zeros(questions)
    for held_out in range(folds):
        crossed[fold == held_out] = confidence(fitted(fold != held_out))[fold == held_out]
    uncalibrated = numpy.round(confidence(1.0), 2)
    return {
        "scores": scores.tolist(), "chosen": chosen.tolist(), "right": right.tolist(), "clusters": clusters.tolist(),
        "folds": folds, "temperature": fitted(slice(None)), "cross_fitted": crossed.tolist(),
        "confidences": uncalibrated.tolist(), "calibration": calibration(uncalibrated, right),
    }


def find_best_thresh(preds, scores, na_probs, qid_to_has_ans):
    num_no_ans = sum(1 for k in qid_to_has_ans if not qid_to_has_ans[k])
    cur_score = num_no_ans
    best_score = cur_score
    best_thresh = 0.0
    qid_list = sorted(na_probs, key=lambda k: na_probs[k])
    for i, qid in enumerate(qid_list):
        if qid not in scores:
            continue
        if qid_to_has_ans[qid]:
            diff = scores[qid]
        else:
            if preds[qid]:
                diff = -1
            else:
                diff = 0
        cur_score += diff
        if cur_score > best_score:
            best_score = cur_score
            best_thresh = na_probs[qid]
    return 100.0 * best_score / len(scores), best_thresh


def thresholds():
    for questions, steps in ((1, 1), (6, 2), (60, 5), (60, 1000), (40, 1)):
        has_answer = random.integers(0, 3, questions) > 0
        gives_answer = random.integers(0, 4, questions) > 0
        score = numpy.where(has_answer, numpy.round(random.uniform(0, 1, questions), 2) * gives_answer, ~gives_answer)
        probability = numpy.floor(random.uniform(0, 1, questions) * steps) / steps
        cases = [
            {"no_answer_probability": float(p), "score": float(s), "has_answer": bool(h), "gives_answer": bool(g)}
            for p, s, h, g in zip(probability, score, has_answer, gives_answer)
        ]
        by_id = lambda key: {str(index): case[key] for index, case in enumerate(cases)}
        best, threshold = find_best_thresh(
            by_id("gives_answer"), by_id("score"), by_id("no_answer_probability"), by_id("has_answer"))
        applied = lambda t: [s if p <= t else float(not h) for p, s, h in zip(probability, score, has_answer)]
        attainable = max(float(numpy.mean(applied(t))) for t in [*probability, -1.0])
        yield {"questions": cases, "score": best / 100, "threshold": float(threshold), "attainable_score": attainable}


def main():
    fixture = {
        "command": ".cache/reference-venv/bin/python scripts/reference/significance.py",
        "scipy": scipy.__version__,
        "estimates": list(estimates()),
        "mcnemar": list(mcnemar()),
        "holm": holm([0.04, 0.001, 0.03, 0.5, 0.005, 0.04, 0.9]),
        "temperature": temperature(),
        "thresholds": list(thresholds()),
    }
    compact = lambda value: json.dumps(value, separators=(",", ":"))
    FIXTURE.write_text("{\n" + ",\n".join(f"{compact(key)}: {compact(value)}" for key, value in fixture.items()) + "\n}\n")
    print(f"{FIXTURE.relative_to(ROOT)}: {FIXTURE.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
