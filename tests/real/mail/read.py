"""What a mail program makes of the mails in a folder: read.py FOLDER, a JSON object a mail."""

import email
import email.policy
import glob
import json
import os
import sys

for name in sorted(glob.glob(os.path.join(sys.argv[1], "*.eml"))):
    with open(name, "rb") as file:
        mail = email.message_from_binary_file(file, policy=email.policy.default)
    parts = [mail, *mail.iter_parts()]
    defects = [str(defect) for part in parts for defect in part.defects]
    defects += [str(defect) for value in mail.values() for defect in value.defects]
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    print(
        json.dumps(
            {
                "recipients": mail["X-Kept-For"].split(", "),
                "from": mail["From"],
                "date": mail["Date"],
                "id": mail["Message-ID"],
                "event": mail["X-Sidearm-Event"],
                "subject": mail["Subject"],
                "text": text and text.get_content(),
                "html": page and page.get_content(),
                "defects": defects,
            }
        )
    )
