#!/usr/bin/env python3
"""Prints the first page of an account's videos.

Run it behind the proxy, so that it never sees the API key:

    apivideo-token run -allow 'GET /videos' -- python3 list.py
"""

import base64
import json
import os
import urllib.request

url = os.environ["APIVIDEO_BASE_URL"] + "/videos"
secret = os.environ["APIVIDEO_API_KEY"] + ":"
request = urllib.request.Request(url)
request.add_header("Authorization", "Basic " + base64.b64encode(secret.encode()).decode())
with urllib.request.urlopen(request, timeout=30) as response:
    for video in json.load(response)["data"]:
        print(video["videoId"], video["title"])
