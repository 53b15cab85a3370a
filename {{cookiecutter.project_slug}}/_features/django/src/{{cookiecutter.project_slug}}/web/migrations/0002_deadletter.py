from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("web", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                ("id", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("task", models.CharField(max_length=200)),
                ("queue", models.CharField(max_length=200)),
                ("reason", models.TextField()),
                ("at", models.DateTimeField(null=True, verbose_name="failed at")),
                ("attempts", models.IntegerField(null=True)),
                ("args", models.JSONField(verbose_name="positional arguments")),
                ("kwargs", models.JSONField(verbose_name="keyword arguments")),
                ("traceback", models.TextField(null=True)),
            ],
            options={
                "permissions": (
                    ("replay_deadletter", "Can replay dead letters"),
                    ("discard_deadletter", "Can discard dead letters"),
                ),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
