"""What real, working stacks do and the contract leaves open: no violation, and no reason to look for one.

By the requirement it touches, each sentence with the names of the mutations that prove it (``tests/mutations/``): a
record changed that way keeps the whole contract, or breaks another requirement and not this. Without one no sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

_IMAGE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "SM-IMAGE-ENTRYPOINT-01": {
        "More than half of the stacks have no ENTRYPOINT: `train` or `serve` is the first process then.": (
            "none, and a CMD of the base image's",
        ),
        "A shell with the path of a script is in exec form, whatever the script does.": ("a script for a shell",),
    },
    "SM-IMAGE-ENTRYPOINT-02": {
        "Other init programs, such as dumb-init, are not meant.": ("another init program",),
    },
    "SM-IMAGE-WORKDIR-01": {
        "WORKDIR may be /opt/ml/code, where the AWS toolkits have their programs.": ("the toolkits' code folder",),
    },
    "SM-IMAGE-RESERVED-01": {
        "A program below /opt/ml/code stays in sight: nothing is mounted over all of /opt/ml.": (
            "code in /opt/ml/code",
        ),
        "Files below a mounted folder do no harm while nothing needs them.": ("files there that nobody needs",),
    },
    "SM-IMAGE-CMD-01": {
        "There may be a CMD, a shell or a demo: the word takes its place.": ("a CMD that nobody needs",),
    },
    "SM-IMAGE-ARGUMENT-01": {
        "The word may be an argument of ENTRYPOINT, or the name of a program on PATH.": ("an ENTRYPOINT",),
        "An image with one role need not know the other word.": ("serves alone",),
    },
    "SM-IMAGE-ENV-01": {
        "ENV may set the switches of the AWS toolkits, such as SAGEMAKER_PROGRAM.": ("switches of the toolkits",),
    },
    "SM-IMAGE-LABEL-01": {
        "Labels with another prefix may say anything, also those of AWS's own images.": ("labels of others",),
    },
    "SM-IMAGE-HEALTHCHECK-01": {
        "HEALTHCHECK may fail each time, as long as it ends nothing.": ("a quick one that only fails",),
    },
    "SM-IMAGE-LOG-01": {
        "One of the two streams will do: many stacks write to standard error alone.": ("one stream alone",),
        "Lines may be JSON, in any language, and speak of errors in a run that goes well.": (
            "JSON, in another language",
        ),
        "How much is written is open.": ("one word",),
    },
    "SM-IMAGE-GPU-02": {
        "The runtime may be the framework's own copy, with a hash in its name.": ("the framework's own",),
    },
    "SM-PRIV-CAPABILITY-01": {
        "What is in the default set may be used: nginx starts its workers as another user by CHOWN, SETUID and "
        "SETGID.": ("workers of another user",),
        "What is refused and only warned of was not needed.": ("a warning in the log",),
    },
    "SM-PRIV-SECCOMP-01": {
        "A call that is refused, such as io_uring, may have a fallback.": ("goes on without",),
    },
    "SM-PRIV-SHM-01": {
        "A base image may print that 64 MB of shared memory is too little.": ("a notice of shared memory",),
    },
    "SM-PRIV-DOCKER-01": {
        "A program may look for a container engine, and go on without one.": ("finds none and goes on",),
    },
    "SM-PRIV-SYSCTL-01": {
        "A kernel setting that cannot be raised may be warned of.": ("cannot write and goes on", "as its last word"),
    },
    "SM-PRIV-NAMESPACE-01": {
        "A banner may advise --ipc=host: advice is no need.": ("advice",),
    },
    "SM-PRIV-INIT-01": {
        "Any tree of processes will do: launchers, front ends, workers of workers.": ("a tree of children",),
        "A process that was lost may be started again, with errors until then.": ("started again",),
        "When the process that it needs is gone the container may end with any code, also with 0.": ("ends with 0",),
        "A few ended children that nobody waited for are no leak.": ("workers that were lost",),
    },
    "SM-OFFLINE-CREDENTIALS-01": {
        "Credentials may be looked for in vain where the run goes well without.": ("said in a run that went well",),
    },
    "SM-OFFLINE-DNS-01": {
        "A name may be looked up in vain where the run goes well without.": ("says so and goes on",),
    },
    "SM-OFFLINE-DROP-01": {
        "Tries that are given up may make a training slower, and a server healthy later, within its start window.": (
            "slower without a way out",
            "healthy later without a way out",
        ),
    },
    "SM-OFFLINE-INVOKE-01": {
        "Answers may differ each time, with and without a network.": ("answers that differ each time",),
    },
    "SM-OFFLINE-ANSWER-01": {
        "Answers may have a time in them that is the same twice by chance.": ("a time that is the same twice",),
    },
}

_TRAINING: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "SM-TRAIN-RUN-01": {
        "The log of a good training may speak of errors.": ("other words in the log",),
        "How long a training takes is open.": ("slower",),
    },
    "SM-TRAIN-RUN-06": {
        "It may be silent for long before it ends.": ("ends long after the last log line",),
    },
    "SM-TRAIN-FS-01": {
        "The AWS toolkits have their programs below /opt/ml/code.": ("code in /opt/ml/code",),
    },
    "SM-TRAIN-FS-02": {
        "Libraries may leave settings, locks and small caches in home folders.": ("a font cache", "nine megabytes"),
    },
    "SM-TRAIN-ENV-01": {
        "The AWS training toolkit sets SM_ variables by itself, and prints them.": ("set by a toolkit, and printed",),
    },
    "SM-TRAIN-CFG-05": {
        "Hyperparameters that it does not know may be refused, with any code but 0, or ignored.": (
            "unknown ones refused",
            "refused in the failure file alone",
            "quietly ignored",
        ),
    },
    "SM-TRAIN-CFG-12": {
        "A launcher may look up every host of the file before it begins, silent for a minute.": (
            "looks up every host first",
        ),
    },
    "SM-TRAIN-DATA-03": {
        "Any code but 0 will do, with any reason in the log or none.": ("another code", "no reason given"),
    },
    "SM-TRAIN-OUT-01": {
        "The names of the files are open, and the folders below /opt/ml/model.": ("files in folders",),
        "There may be files in /opt/ml/output as well.": ("output as well",),
    },
    "SM-TRAIN-OUT-03": {
        "The AWS training toolkit leaves an empty file `success`.": ("the toolkit's empty success",),
        "Other empty files and folders lose nothing.": ("an empty marker and an empty folder",),
    },
    "SM-TRAIN-FAIL-01": {
        "With code 0 the log may speak of errors.": ("speaks of errors, ends with 0",),
    },
    "SM-TRAIN-FAIL-02": {
        "Any code but 0 will do: 1, 2, 255, an errno, that of a signal.": ("code 255", "killed by a signal"),
    },
    "SM-TRAIN-FAIL-03": {
        "Any code but 0 will do, whatever the log says.": ("code 2, one word",),
    },
    "SM-TRAIN-FAIL-04": {
        "The text may be in any language, and need not be in the log as well.": (
            "long, and not English",
            "few words in the log",
        ),
    },
    "SM-TRAIN-FAIL-05": {
        "The file may be longer than 1,024 characters, as it often is.": ("the error first, a long traceback behind",),
        "A short text may say it in any words.": ("short, in words of its own",),
    },
    "SM-TRAIN-FAIL-06": {
        "A last line of the log may come within a second.": ("a last line within a second",),
    },
    "SM-TRAIN-FAIL-08": {
        "A launcher may turn the code into one of its own that is not 0.": ("code 1 instead of 137",),
        "A launcher may start a killed trainer again, if it gives up in the end.": (
            "started again on pipes, given up at work",
        ),
    },
    "SM-TRAIN-STOP-01": {
        "The code after SIGTERM is open: 0, 143, that of the signal.": ("0 after it", "killed by the signal itself"),
        "A launcher may tell its trainer in another way than by a signal: an event, a file.": (
            "told in another way than by a signal, ends at work",
        ),
    },
    "SM-TRAIN-STOP-02": {
        "The code after SIGTERM is open: 0 and 143 are both seen.": ("code 0", "a minute and a half"),
    },
    "SM-TRAIN-LOG-02": {
        "What the lines say is open, and whether there is anything to say before the end.": (
            "other words",
            "nothing to say before the end",
        ),
    },
}

_SERVING: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "SM-INFER-RUN-01": {
        "ENTRYPOINT may take the word; without one `serve` on PATH is started.": ("an ENTRYPOINT",),
        "The log of a good start may speak of errors.": ("other words",),
    },
    "SM-INFER-RUN-02": {
        "Any folder of PATH will do.": ("found in another folder",),
    },
    "SM-INFER-RUN-03": {
        "The code after SIGTERM is open: 0, 130, 143.": ("143 after SIGTERM", "130 after SIGTERM"),
    },
    "SM-INFER-RUN-10": {
        "The entry program may be a binary, which has no first line.": ("a binary",),
    },
    "SM-INFER-RUN-11": {
        "The second start may be slower than the first.": ("slower the second time",),
    },
    "SM-INFER-NET-01": {
        "The listener may be on [::]:8080, for both kinds of addresses, as with Node and Java.": ("IPv6",),
        "Any process of the container may hold it.": ("a listener that is a child",),
        "There may be further ports: workers on loopback, management and metrics open to all.": (
            "other ports as well",
            "a port of its own open to all",
        ),
    },
    "SM-INFER-NET-02": {
        "Connections may be slow until it is healthy.": ("slow before it was healthy",),
    },
    "SM-INFER-NET-04": {
        "The status line may be one of HTTP/1.0.": ("404 in HTTP/1.0",),
        "A front end may answer 502 until its server is there.": ("a front end without its server", "502 before ready"),
    },
    "SM-INFER-PING-01": {
        "Until it is ready any other status will do, 404 and 502 among them.": ("404 and 502 before ready",),
        "The status alone counts: what a body holds is asked by SM-INFER-PING-05.": ("a body",),
    },
    "SM-INFER-PING-02": {
        "Until it is healthy a ping may be late, or accepted and never answered; where none is ever in time, it never "
        "is healthy.": ("slow before it was healthy",),
    },
    "SM-INFER-PING-03": {
        "While there is time connections may be refused, reset, closed, or accepted and never answered.": (
            "reset and 502 for a while",
            "accepts and does not answer for a while",
        ),
        "So may pings be answered with 502 by a front end, or with 503 while a model loads.": (
            "reset and 502 for a while",
            "503 while it loads",
        ),
    },
    "SM-INFER-PING-04": {
        "A single 200 before the row that makes it healthy promises nothing.": ("200 once before it is healthy",),
    },
    "SM-INFER-PING-05": {
        "A line break counts as nothing.": ("a line break",),
        "With a status other than 200 the body may say anything.": ("bodies before it is ready",),
    },
    "SM-INFER-PING-06": {
        "The model may be loaded with the first request, if that is answered in time.": ("a slow first answer",),
    },
    "SM-INFER-PING-07": {
        "Without a model it may end, with any code, or go on without a 200.": (
            "ends later without it",
            "ends with 0 without it",
            "503 without it",
        ),
        "It may answer invocations from a fallback.": ("a fallback that answers",),
    },
    "SM-INFER-PING-08": {
        "A ping beside invocations may be slower than an idle one, within its 2 s.": ("1.8 s while busy",),
    },
    "SM-INFER-PING-09": {
        "Invocations may fail until a lost worker is there again.": ("503 from then on until it is started again",),
        "The container may end instead.": ("the container ends",),
    },
    "SM-INFER-PING-10": {
        "Frameworks refuse the method in their own way, with 404, 405 or 415, or answer 200.": ("404", "415", "200"),
    },
    "SM-INFER-METRICS-01": {
        "There may be metrics, any status (404, 405, 500), or a closed connection.": (
            "metrics",
            "405",
            "500 and no more",
            "closed without an answer",
        ),
    },
    "SM-INFER-INVOKE-01": {
        "Any status of 2xx will do.": ("201",),
        "The answer may have any headers: Server, X-Powered-By, ETag, cookies, ids, and Connection: close each time.": (
            "headers of a framework",
        ),
    },
    "SM-INFER-INVOKE-02": {
        "The first answer may take most of the minute, while the model is loaded.": ("a slow first one",),
    },
    "SM-INFER-INVOKE-03": {
        "Answers may differ each time, by an id or a time in them.": (
            "another body each time",
            "a time that is the same twice",
        ),
        "With Accept-Encoding among the headers the answer may be packed.": ("packed where that was asked for",),
    },
    "SM-INFER-INVOKE-05": {
        "What is not declared may be refused with any status: another type, or a charset behind a declared one.": (
            "another type refused",
            "another type breaks it",
            "a charset refused",
        ),
        "An answer may be empty.": ("204 for one",),
    },
    "SM-INFER-INVOKE-06": {
        "A type may have capitals, and parameters such as charset.": ("with a charset",),
        "Both application/octet-stream and text/plain fit any body.": ("bytes", "text"),
        "A packed body counts as what it holds.": ("packed",),
        "An empty answer needs no Content-Type.": ("an empty body without one",),
    },
    "SM-INFER-INVOKE-07": {
        "Which format is the default is open.": ("another default",),
    },
    "SM-INFER-INVOKE-10": {
        "Which status of 400 and above is open: 400, 415, 500 and 503 are all seen.": ("415", "500", "503"),
        "An error may be an HTML page, or have no Content-Type.": ("errors as a page", "errors without Content-Type"),
        "The connection may be closed without an answer.": ("closed without an answer",),
        "A number, or a list of numbers, may be called an error: a standard error is one.": (
            "a standard error beside the prediction",
            "a standard error of each prediction",
        ),
        'An empty body may get 204, or an empty prediction, also with "error": null in it.': (
            "204 for an empty body",
            "a prediction for an empty body",
            "no prediction and no error",
        ),
    },
    "SM-INFER-INVOKE-11": {
        "A bad body may cost a worker, if another is there within seconds.": ("a worker started again",),
    },
    "SM-INFER-INVOKE-12": {
        "A body that was let in may be refused for what it holds, or because the answer would be too big.": (
            "400 for so many rows",
            "500 for so big an answer",
        ),
        "What is bigger than the API allows may get 413.": ("25 MB refused",),
    },
    "SM-INFER-INVOKE-13": {
        "What comes at once may get 503 or 429, some of it or most.": ("503 for some", "503 for most", "429 for some"),
    },
    "SM-INFER-INVOKE-14": {
        "An answer may come in chunks, or end with the connection, without Content-Length.": (
            "in chunks",
            "as long as the connection",
        ),
    },
    "SM-INFER-INVOKE-15": {
        "Other headers may come back as well.": ("further headers",),
    },
    "SM-INFER-MODEL-01": {
        "With an empty folder it need not become healthy.": ("not healthy when empty",),
    },
    "SM-INFER-MODEL-02": {
        "A cache that cannot be written may be warned of.": ("says that it cannot cache",),
    },
    "SM-INFER-STOP-01": {
        "The code after SIGTERM is open: 0, 1, 143.": ("143", "1"),
    },
    "SM-INFER-STOP-02": {
        "The code after SIGTERM is open: 0, 1, 143.": ("143 after 25 s", "code 1"),
    },
}

LEFT_OPEN: Mapping[str, Mapping[str, tuple[str, ...]]] = {**_IMAGE, **_TRAINING, **_SERVING}
